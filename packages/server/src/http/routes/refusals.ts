import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Fleet } from '../../contract.ts';
import { pageOf, pageQuery, refusalView } from '../../api/forms.ts';

export function refusalRoutes(fleet: Fleet): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/refusals',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['security'],
          summary: 'Messages that were refused, newest first',
          querystring: pageQuery,
          response: { 200: pageOf(refusalView) },
        },
      },
      (request) => fleet.refusals(request.query),
    );

    app.get(
      '/refusals/counts',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['security'],
          summary: 'How many messages were refused, by code, since the server was set up',
          response: { 200: z.record(z.string(), z.number()).readonly() },
        },
      },
      () => fleet.refusalCounts(),
    );
  };
}
