import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { BrokerView } from '../../contract.ts';
import { brokerView } from '../../api/forms.ts';

export function brokerRoutes(view: () => BrokerView): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/broker',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['broker'],
          summary: 'The MQTT broker, and whether it refuses who was revoked (tried out)',
          response: { 200: brokerView },
        },
      },
      async () => view(),
    );
  };
}
