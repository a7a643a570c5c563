import { AUDIT_KINDS } from '@srup/protocol';
import { z } from 'zod';
import { deviceId, type View } from './basics.ts';
import { pageQuery } from './pages.ts';

const since = z.coerce.number().int().min(0).describe('ms since 1970');

export const auditEntryView = z
  .object({
    seq: z.number(),
    at: z.number().describe("ms since 1970, by the server's clock"),
    kind: z.string(),
    device: deviceId.optional(),
    evidence: z.string().optional().describe('SHA-256 of the messages that it stands for'),
    body: z.record(z.string(), z.unknown()),
    hash: z.string().describe('of this entry and, through it, of all before'),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntryView = View<z.infer<typeof auditEntryView>>;

export const auditQuery = pageQuery.extend({
  device: deviceId.optional(),
  kind: z.enum(AUDIT_KINDS).optional(),
  text: z.string().max(200).optional().describe('part of the body, or of the device id'),
  since: since.optional(),
  until: since.optional(),
});
/** `since` and `until` are milliseconds since 1970; `until` is excluded. */
export type AuditQuery = Readonly<z.infer<typeof auditQuery>>;

const witnessView = z.object({
  place: z.string(),
  seq: z.number().describe('last entry that it has a checkpoint for'),
  takenAt: z.number().optional().describe('when it took that, ms since 1970'),
  failures: z.number().describe('tries since the start in which it took nothing'),
  trouble: z.string().optional().describe('why it took nothing the last time'),
});
/** A place outside that receives the signed checkpoints. `place`: a file, or a URL without its query. */
export type WitnessView = View<z.infer<typeof witnessView>>;

export const auditStatus = z
  .object({
    server: z.string(),
    keyFingerprint: z.string().describe('SHA-256 of the key that signs checkpoints, in SPKI form'),
    entries: z.number(),
    checkpoint: z.object({ seq: z.number(), at: z.number() }).optional().describe('the last one'),
    witnesses: z.array(witnessView),
    alarms: z.array(z.string()).describe('what was found wrong with the trail, at this start or since'),
  })
  .meta({ id: 'AuditStatus' });
/** `keyFingerprint` is what `srup verify --server-key` takes. The server checks the trail at its start and each hour. */
export type AuditStatus = View<z.infer<typeof auditStatus>>;

export const exportQuery = z.object({
  device: deviceId.optional().describe('leave out the content of what concerns other devices'),
  since: since.optional().describe('leave out the content of what is older'),
});

export const checkpointView = z
  .object({ seq: z.number(), at: z.number(), text: z.string(), signature: z.string() })
  .meta({ id: 'AuditCheckpoint' });
