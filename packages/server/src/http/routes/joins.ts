import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Fleet } from '../../contract.ts';
import { callerOf } from '../auth.ts';
import { joinVerdict } from '../../api/forms.ts';

const byType = z.object({ type: z.string().min(1).max(100).describe('a device type, or * for all others') });

export function joinPolicyRoutes(fleet: Fleet): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/join-policy',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['joins'],
          summary: 'What a simple join of each device type gets (P 9.1)',
          response: { 200: z.record(z.string(), joinVerdict).readonly() },
        },
      },
      () => fleet.joinPolicy(),
    );

    app.put(
      '/join-policy/:type',
      {
        config: { role: 'admin' },
        schema: {
          tags: ['joins'],
          summary: 'Set the policy of a device type',
          params: byType,
          body: z.object({ verdict: joinVerdict }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await fleet.setJoinPolicy(request.params.type, request.body.verdict, callerOf(request));
        return reply.status(204).send(null);
      },
    );

    app.delete(
      '/join-policy/:type',
      {
        config: { role: 'admin' },
        schema: {
          tags: ['joins'],
          summary: 'Let a device type fall back to the policy of *',
          params: byType,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await fleet.setJoinPolicy(request.params.type, undefined, callerOf(request));
        return reply.status(204).send(null);
      },
    );
  };
}
