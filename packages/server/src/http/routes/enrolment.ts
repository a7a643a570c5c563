import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { KeyService } from '../../keyservice/service.ts';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';

const codeView = z
  .object({
    id: z.string(),
    type: z.string().optional(),
    usesLeft: z.number(),
    expiresAt: z.number().optional(),
    createdAt: z.number(),
  })
  .meta({ id: 'EnrolmentCode' });
const registration = z.object({ open: z.boolean() });
const tags = ['enrolment'];

export function enrolmentRoutes(keys: KeyService): FastifyPluginAsyncZod {
  const { codes } = keys;
  return async (app) => {
    app.get(
      '/registration',
      {
        config: { role: 'viewer' },
        schema: { tags, summary: 'Does the key service take new devices?', response: { 200: registration } },
      },
      async () => ({ open: (await keys.status()).active }),
    );

    app.put(
      '/registration',
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: 'Take new devices, or none for now; those that are registered go on',
          body: registration,
          response: { 200: registration },
        },
      },
      async (request) => {
        await keys.setOpen(request.body.open, callerOf(request));
        return request.body;
      },
    );

    app.get(
      '/enrolment-codes',
      {
        config: { role: 'admin' },
        schema: { tags, summary: 'Enrolment codes', response: { 200: z.array(codeView).readonly() } },
      },
      () => codes.list(),
    );

    app.post(
      '/enrolment-codes',
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: 'Create an enrolment code; the secret is shown this once',
          body: z.object({
            type: z.string().trim().min(1).max(100).optional(),
            uses: z.number().int().min(1).max(100_000).default(1),
            expiresAt: z.number().int().positive().optional(),
          }),
          response: { 201: z.object({ secret: z.string(), code: codeView }) },
        },
      },
      async (request, reply) => {
        const { type, uses, expiresAt } = request.body;
        const wish = {
          uses,
          by: callerOf(request),
          ...(type === undefined ? {} : { type }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        };
        return reply.status(201).send(await codes.create(wish));
      },
    );

    app.delete(
      '/enrolment-codes/:id',
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: 'Withdraw an enrolment code',
          params: z.object({ id: z.string().max(100) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        if (!(await codes.remove(request.params.id, callerOf(request))))
          throw new RequestError(404, 'not-found', 'no such code');
        return reply.status(204).send(null);
      },
    );
  };
}
