import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AUDIT_KINDS } from '@srup/protocol';
import type { Trail } from '../../audit/trail.ts';
import { deviceId, pageOf, pageQuery } from '../../api/forms.ts';

const time = z.coerce.number().int().min(0).describe('ms since 1970');
const tags = ['audit'];

const entryView = z
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

const statusView = z
  .object({
    server: z.string(),
    keyFingerprint: z.string().describe('SHA-256 of the key that signs checkpoints, in SPKI form'),
    entries: z.number(),
    checkpoint: z.object({ seq: z.number(), at: z.number() }).optional().describe('the last one'),
    witnesses: z.array(
      z.object({
        place: z.string(),
        seq: z.number().describe('last entry that it has a checkpoint for'),
        takenAt: z.number().optional().describe('when it took that, ms since 1970'),
        failures: z.number().describe('tries since the start in which it took nothing'),
        trouble: z.string().optional().describe('why it took nothing the last time'),
      }),
    ),
    alarms: z.array(z.string()).describe('what was found wrong with the trail, at this start or since'),
  })
  .meta({ id: 'AuditStatus' });

const checkpointView = z
  .object({ seq: z.number(), at: z.number(), text: z.string(), signature: z.string() })
  .meta({ id: 'AuditCheckpoint' });

/** Who may see the fleet may see what was done to it, and take the proof away. */
export function auditRoutes(trail: Trail): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/audit',
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: 'Entries of the audit trail, newest first',
          description: 'A page may have fewer rows than asked for, and yet a `next` one.',
          querystring: pageQuery.extend({
            device: deviceId.optional(),
            kind: z.enum(AUDIT_KINDS).optional(),
            text: z.string().max(200).optional().describe('part of the body, or of the device id'),
            since: time.optional(),
            until: time.optional(),
          }),
          response: { 200: pageOf(entryView) },
        },
      },
      (request) => trail.search(request.query),
    );

    app.get(
      '/audit/status',
      {
        config: { role: 'viewer' },
        schema: { tags, summary: 'How far the trail is signed and witnessed', response: { 200: statusView } },
      },
      () => trail.status(),
    );

    app.get(
      '/audit/export',
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: 'The history as JSON lines, for "srup verify": docs/audit.md has the format',
          description:
            'Of what is not chosen the hashes are there, so that the chain can be checked to its beginning.',
          querystring: z.object({
            device: deviceId.optional().describe('leave out the content of what concerns other devices'),
            since: time.optional().describe('leave out the content of what is older'),
          }),
          produces: ['application/x-ndjson'],
        },
      },
      async (request, reply) => {
        void reply.headers({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
        return reply.send(Readable.from(trail.export(request.query)));
      },
    );

    app.post(
      '/audit/checkpoints',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Sign the trail now, and hand it to the witnesses',
          response: { 200: checkpointView },
        },
      },
      () => trail.checkpoint(),
    );
  };
}
