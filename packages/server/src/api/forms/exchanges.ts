import type { ServerExchange } from '@srup/protocol';
import { z } from 'zod';
import { EXCHANGE_KINDS } from '../vocabulary.ts';
import { deviceId, instant, tokenText, type View } from './basics.ts';
import { pageQuery } from './pages.ts';

const kind = z.enum(EXCHANGE_KINDS);

export const byExchange = z.object({ id: deviceId, token: tokenText });

export const exchangeView = z
  .object({
    device: deviceId,
    exchange: z.looseObject({
      kind,
      phase: z.string(),
      token: tokenText,
      openedAt: instant,
      attempts: z.number(),
      wakeAt: instant.optional(),
      status: z.number().optional().describe('status byte of the last RESPONSE (P 3)'),
      deferral: z
        .object({ reason: z.string(), until: instant.optional() })
        .optional()
        .describe('why, and until when, the device defers an activation (P 10.11); `wakeAt`: asked again'),
    }) as unknown as z.ZodType<ServerExchange>,
    order: z.string().optional().describe('id of the order that began it'),
    updatedAt: instant,
    explanation: z.string(),
    isFinal: z.boolean(),
  })
  .meta({ id: 'Exchange' });
/** `explanation`: what the phase means, in words, with the reason of a failure. `isFinal`: the phase is over. */
export type ExchangeView = View<z.infer<typeof exchangeView>>;

export const exchangeQuery = pageQuery.extend({
  device: deviceId.optional(),
  kind: kind.optional(),
  order: z.string().max(64).optional().describe('only those that this order began'),
  open: z.stringbool().optional().describe('only those that are not over, or only those that are'),
});
export type ExchangeQuery = Readonly<z.infer<typeof exchangeQuery>>;
