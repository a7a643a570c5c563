import { z } from 'zod';
import type { FaultCode } from '@srup/protocol';
import { DATA_KINDS, DIRECTIONS, FAULTS } from '../vocabulary.ts';
import { deviceId, instant, tokenText, type View } from './basics.ts';
import { pageQuery } from './pages.ts';

export const messageView = z
  .object({
    id: z.number(),
    at: instant,
    device: deviceId,
    direction: z.enum(DIRECTIONS),
    type: z.string().describe('name of the message (P 3)'),
    sequence: z.string(),
    token: tokenText,
    hex: z.string().describe('the signed message itself'),
  })
  .meta({ id: 'Message' });
/** A message that was sent or accepted, with its bytes: evidence. */
export type MessageView = View<z.infer<typeof messageView>>;

export const deviceMessageQuery = pageQuery.extend({ token: z.string().max(512).optional() });
export type MessageQuery = Readonly<z.infer<typeof deviceMessageQuery>> & {
  readonly device?: string | undefined;
};

export const dataView = z
  .object({
    at: instant,
    device: deviceId,
    dataId: z.string(),
    hex: z.string(),
    value: z.union([z.string(), z.number()]),
    kind: z.enum(DATA_KINDS),
  })
  .meta({ id: 'Data' });
/** A value that a device sent. `value` and `kind` follow P 10.6. */
export type DataView = View<z.infer<typeof dataView>>;

export const deviceDataQuery = pageQuery.extend({ dataId: z.string().max(255).optional() });
export type DataQuery = Readonly<z.infer<typeof deviceDataQuery>> & { readonly device: string };

export const refusalView = z
  .object({
    at: instant,
    code: z.enum(FAULTS),
    claimedSender: z.string().optional().describe('named by the message, not proven'),
    topic: z.string(),
    type: z.string().optional(),
  })
  .meta({ id: 'Refusal' });
/** A message that was refused. */
export type RefusalView = View<z.infer<typeof refusalView>>;

export const refusalCounts = z.record(z.string(), z.number()).readonly();
export type RefusalCounts = Readonly<Partial<Record<FaultCode, number>>>;
