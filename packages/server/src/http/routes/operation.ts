import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Readiness } from '../../metrics/readiness.ts';
import { guard } from '../auth.ts';
import type { ApiTokens } from '../../access/tokens.ts';

declare module 'fastify' {
  interface FastifyInstance {
    operationDocs(): { readonly paths?: Readonly<Record<string, Operations>> };
  }
}

export interface OperationDeps {
  readonly readiness: Readiness;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly tokens: ApiTokens;
}

const tags = ['operation'];
const state = z.object({
  status: z.enum(['ready', 'not-ready']),
  reasons: z.array(z.string()).readonly().describe('what is wrong; empty when ready'),
});

/** Where load balancers, service managers and Prometheus look: at the root, as they expect it. */
export async function operationRoutes(
  scope: FastifyInstance,
  { readiness, metrics, tokens }: OperationDeps,
): Promise<void> {
  const app = scope.withTypeProvider<ZodTypeProvider>();
  await app.register(swagger, {
    decorator: 'operationDocs',
    openapi: { openapi: '3.1.0' },
    transform: jsonSchemaTransform,
  });
  guard(scope, tokens);
  app.get(
    '/healthz',
    {
      config: { open: true },
      schema: {
        tags,
        summary: 'Alive: the process answers',
        security: [],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );
  app.get(
    '/readyz',
    {
      config: { open: true },
      schema: {
        tags,
        summary: 'Ready: the store can be written, and the broker is connected',
        security: [],
        response: { 200: state, 503: state },
      },
    },
    async (_request, reply) => {
      const reasons = await readiness();
      if (reasons.length === 0) return { status: 'ready' as const, reasons };
      return reply.status(503).send({ status: 'not-ready', reasons });
    },
  );
  app.get(
    '/metrics',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'Metrics in the text form of Prometheus',
        produces: ['text/plain'],
        ...{ 'x-role': 'viewer' },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}

type Operations = Readonly<Record<string, object>>;

/** The same routes for the description of the API: their paths begin at the root. */
export function describeOperation(app: FastifyInstance): Record<string, object> {
  const { paths = {} } = app.operationDocs();
  const atRoot = (operations: Operations): Operations =>
    mapValues(operations, (operation) => ({ servers: [{ url: '/' }], ...operation }));
  return mapValues(paths, atRoot);
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
