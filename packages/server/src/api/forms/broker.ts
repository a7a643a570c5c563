import { z } from 'zod';
import { BROKER_KINDS, REVOCATION_STATES } from '../vocabulary.ts';
import { instant, type View } from './basics.ts';

export const brokerView = z
  .object({
    kind: z.enum(BROKER_KINDS),
    url: z.string().describe('where devices connect'),
    revocation: z
      .object({
        state: z
          .enum(REVOCATION_STATES)
          .describe('current: it refuses all who were revoked; behind: it does not; unproven: not known'),
        since: instant,
        problem: z.string().optional(),
      })
      .describe('tried out with a certificate that was made to be refused'),
    endsSessions: z.boolean().describe('the session of a revoked device can be ended there'),
  })
  .meta({ id: 'Broker' });
export type BrokerView = View<z.infer<typeof brokerView>>;

/** Whether the broker refuses every identity that was revoked (`REVOCATION_STATES`), and since when. */
export type RevocationView = BrokerView['revocation'];
