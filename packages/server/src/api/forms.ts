import { isDigest, type ServerExchange } from '@srup/protocol';
import { z } from 'zod';
import { FAULTS } from './vocabulary.ts';

/** The forms of the API, one each; OpenAPI is made from them. */

const time = z.number().describe('milliseconds since 1970');
export const deviceId = z
  .string()
  .regex(/^[1-9a-f][0-9a-f]{0,15}$/, 'an identity is 1 to 16 lower-case hex digits without leading zeros')
  .describe('identity as lower-case hex text (P 2.7)');
export const digest = z
  .string()
  .refine(isDigest, 'a digest is 64 lower-case hex digits')
  // A refinement leaves no trace in OpenAPI by itself.
  .meta({ description: 'SHA-256 as lower-case hex text (P 2.6)', pattern: '^[0-9a-f]{64}$' });
export const tokenText = z.string().min(1).max(512).describe('token of the transaction (P 6)');

export const standing = z.enum([
  'unknown',
  'pending',
  'refused',
  'failed',
  'joined',
  'resigned',
  'terminated',
  'deregistered',
]);
export const joinVerdict = z.enum(['accept', 'refuse', 'fail', 'ask']);
const suite = z.enum(['rsa-sha256', 'ed25519', 'ml-dsa-65']);

const proven = z.object({ digest, provenAt: time, token: tokenText });

export const deviceView = z
  .object({
    id: deviceId,
    name: z.string().optional(),
    type: z.string(),
    suite,
    standing,
    identification: z.string().optional().describe('what the device says of itself (P 10.7)'),
    confirms: z.boolean().describe('known to confirm ACTION, ACTIVATE, RESIGN, DEREGISTER (P 10.7)'),
    running: proven.optional().describe('proven to run, by a signed receipt of this device'),
    staged: proven.optional().describe('proven to be fetched and verified'),
    lastProvenAt: time.optional().describe('when the last message was proven to come from the device'),
    firstSeenAt: time,
  })
  .meta({ id: 'Device' });

export const revocation = z
  .object({
    id: deviceId,
    ended: z.boolean().describe('false: the rest is tried again until it is done'),
    problem: z.string().optional().describe('what could not be ended yet, and why'),
  })
  .meta({ id: 'Revocation' });

export const brokerView = z
  .object({
    kind: z.enum(['embedded', 'external']),
    url: z.string().describe('where devices connect'),
    revocation: z
      .object({
        state: z
          .enum(['current', 'behind', 'unproven'])
          .describe('current: it refuses all who were revoked; behind: it does not; unproven: not known'),
        since: time,
        problem: z.string().optional(),
      })
      .describe('tried out with a certificate that was made to be refused'),
    endsSessions: z.boolean().describe('the session of a revoked device can be ended there'),
  })
  .meta({ id: 'Broker' });

export const exchangeView = z
  .object({
    device: deviceId,
    exchange: z.looseObject({
      kind: z.enum(['update', 'action', 'data', 'identify', 'join', 'leave']),
      phase: z.string(),
      token: tokenText,
      openedAt: time,
      attempts: z.number(),
      wakeAt: time.optional(),
      status: z.number().optional().describe('status byte of the last RESPONSE (P 3)'),
      deferral: z
        .object({ reason: z.string(), until: time.optional() })
        .optional()
        .describe('why, and until when, the device put an activation off (P 10.11); `wakeAt`: asked again'),
    }) as unknown as z.ZodType<ServerExchange>,
    updatedAt: time,
    explanation: z.string(),
    isFinal: z.boolean(),
  })
  .meta({ id: 'Exchange' });

export const ranView = z
  .object({
    digest,
    provenAt: time,
    token: tokenText,
    isWayBack: z.boolean().describe('false: it failed later, or a rollback left it behind'),
  })
  .meta({ id: 'Software' });

export const messageView = z
  .object({
    id: z.number(),
    at: time,
    device: deviceId,
    direction: z.enum(['in', 'out']),
    type: z.string().describe('name of the message (P 3)'),
    sequence: z.string(),
    token: tokenText,
    hex: z.string().describe('the signed message itself'),
  })
  .meta({ id: 'Message' });

export const dataView = z
  .object({
    at: time,
    device: deviceId,
    dataId: z.string(),
    hex: z.string(),
    value: z.union([z.string(), z.number()]),
    kind: z.enum(['text', 'int32', 'double', 'raw']),
  })
  .meta({ id: 'Data' });

export const refusalView = z
  .object({
    at: time,
    code: z.enum(FAULTS),
    claimedSender: z.string().optional().describe('named by the message, not proven'),
    topic: z.string(),
    type: z.string().optional(),
  })
  .meta({ id: 'Refusal' });

export const artifactView = z
  .object({ digest, bytes: z.number(), name: z.string(), version: z.string().optional(), uploadedAt: time })
  .meta({ id: 'Artifact' });

export const tokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(['viewer', 'operator', 'admin']),
    createdAt: time,
    usedAt: time.optional(),
    expiresAt: time.optional(),
  })
  .meta({ id: 'Token' });

export const receipts = z
  .array(
    z.union([
      z.object({
        device: deviceId,
        ok: z.literal(true),
        token: tokenText,
        rollback: z
          .object({
            digest,
            isStored: z.boolean().describe('false: only a device that still holds it can go back'),
          })
          .optional()
          .describe('where a rollback goes to'),
      }),
      z.object({ device: deviceId, ok: z.literal(false), reason: z.string() }),
    ]),
  )
  .readonly();

export const pageQuery = z.object({
  cursor: z.string().max(200).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(500).optional(),
});

export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({
    rows: z.array(row).readonly(),
    next: z.string().optional().describe('absent on the last page'),
  });
}

const selection = {
  devices: z.array(deviceId).min(1).max(10_000).optional().describe('these devices'),
  type: z.string().min(1).max(100).optional().describe('every joined device of this type'),
  all: z.literal(true).optional().describe('every joined device'),
};

export const commandBody = z
  .object({
    ...selection,
    command: z.discriminatedUnion('kind', [
      z.object({
        kind: z.literal('update'),
        digest,
        activate: z
          .boolean()
          .default(true)
          .describe('activate each device as soon as it has proven "staged"'),
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
        .describe(
          'back to what the device has proven to have run, without a download where it still holds it',
        ),
      z.object({ kind: z.literal('action'), actionId: z.number().int().min(0).max(255) }),
      z.object({
        kind: z.literal('data'),
        dataId: z.string().min(1).max(255),
        value: z.discriminatedUnion('type', [
          z.object({ type: z.literal('text'), text: z.string().max(60_000) }),
          z.object({
            type: z.literal('int32'),
            number: z
              .number()
              .int()
              .min(-(2 ** 31))
              .max(2 ** 31 - 1),
          }),
          z.object({ type: z.literal('double'), number: z.number() }),
          z.object({ type: z.literal('hex'), hex: z.string().regex(/^([0-9a-f]{2}){0,30000}$/) }),
        ]),
      }),
      z.object({ kind: z.literal('identify') }),
      z.object({ kind: z.literal('terminate') }),
      z.object({ kind: z.literal('deregister') }),
    ]),
  })
  .refine(
    (body) => [body.devices, body.type, body.all].filter((choice) => choice !== undefined).length === 1,
    {
      message: 'name exactly one of devices, type, all',
    },
  );
