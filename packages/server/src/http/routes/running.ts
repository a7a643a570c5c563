import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { ApiTokens } from '../../access/tokens.ts';
import type { Readiness } from '../../metrics/readiness.ts';
import { guard } from '../auth.ts';
import { serve } from '../serve.ts';

declare module 'fastify' {
  interface FastifyInstance {
    rootDocs(): { readonly paths?: Readonly<Record<string, Methods>> };
  }
}

export interface RunningDeps {
  readonly readiness: Readiness;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly tokens: ApiTokens;
}

/** What load balancers, service managers and Prometheus ask for: at the root, as they expect it. */
export async function rootRoutes(
  app: FastifyInstance,
  { readiness, metrics, tokens }: RunningDeps,
): Promise<void> {
  await app.register(swagger, {
    decorator: 'rootDocs',
    openapi: { openapi: '3.1.0' },
    transform: jsonSchemaTransform,
  });
  guard(app, tokens);
  serve(app, {
    isAlive: () => ({ status: 'ok' }),
    isReady: async ({ reply }) => {
      const reasons = await readiness();
      if (reasons.length === 0) return { status: 'ready', reasons };
      void reply.status(503);
      return { status: 'not-ready', reasons };
    },
    getMetrics: ({ reply }) => {
      void reply.type(metrics.contentType);
      return metrics.text();
    },
  });
}

type Methods = Readonly<Record<string, object>>;

/** The same routes for the description of the API: their paths begin at the root. */
export function describeRoot(app: FastifyInstance): Record<string, object> {
  const { paths = {} } = app.rootDocs();
  const atRoot = (methods: Methods): Methods =>
    mapValues(methods, (operation) => ({ servers: [{ url: '/' }], ...operation }));
  return mapValues(paths, atRoot);
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
