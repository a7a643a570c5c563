import { z } from 'zod';
import { deviceId, digest, tokenText, type View } from './basics.ts';

const int32 = z
  .number()
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);

const dataValue = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string().max(60_000) }),
  z.object({ type: z.literal('int32'), number: int32 }),
  z.object({ type: z.literal('double'), number: z.number() }),
  z.object({ type: z.literal('hex'), hex: z.string().regex(/^([0-9a-f]{2}){0,30000}$/) }),
]);

const command = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('update'),
    digest,
    activate: z.boolean().default(true).describe('activate each device as soon as it has proven "staged"'),
  }),
  z
    .object({
      kind: z.literal('rollback'),
      to: z
        .string()
        .trim()
        .min(1)
        .max(100)
        .optional()
        .describe('digest, its first 8 digits or more, or version; absent: what each device ran before'),
    })
    .describe('back to what the device has proven to have run, without a download where it still holds it'),
  z.object({ kind: z.literal('action'), actionId: z.number().int().min(0).max(255) }),
  z.object({ kind: z.literal('data'), dataId: z.string().min(1).max(255), value: dataValue }),
  z.object({ kind: z.literal('identify') }),
  z.object({ kind: z.literal('terminate') }),
  z.object({ kind: z.literal('deregister') }),
]);

/** An order: a command, and the devices that it is for. */
export const orderBody = z
  .object({
    devices: z.array(deviceId).min(1).max(10_000).optional().describe('these devices'),
    type: z.string().min(1).max(100).optional().describe('every joined device of this type'),
    all: z.literal(true).optional().describe('every joined device'),
    command,
  })
  .refine(
    (body) => [body.devices, body.type, body.all].filter((choice) => choice !== undefined).length === 1,
    {
      message: 'name exactly one of devices, type, all',
    },
  );
export type OrderBody = Readonly<z.infer<typeof orderBody>>;

/** The devices that an order is for, chosen in exactly one way: by id, by type, or all that have joined. */
export type Selection = Omit<OrderBody, 'command'>;

const accepted = z.object({
  device: deviceId,
  ok: z.literal(true),
  token: tokenText,
  order: z.string().describe('id of the order; its exchanges carry it'),
  rollback: z
    .object({
      digest,
      isStored: z.boolean().describe('false: only a device that still holds it can go back'),
    })
    .optional()
    .describe('where a rollback goes to'),
});
const refused = z.object({ device: deviceId, ok: z.literal(false), reason: z.string() });

export const receipts = z.array(z.union([accepted, refused])).readonly();
/** For one device of an order: its signed message is stored, or why there is none. */
export type CommandReceipt = View<z.infer<typeof receipts>>[number];
