import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { BrokerView } from '../contract.ts';
import type { KeyService } from '../keyservice/service.ts';
import { guard } from './auth.ts';
import { errorBody } from './errors.ts';
import type { Trail } from '../audit/trail.ts';
import { accessRoutes, type AccessDeps } from './routes/access.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import { auditRoutes } from './routes/audit.ts';
import { brokerRoutes } from './routes/broker.ts';
import { commandRoutes, type CommandDeps } from './routes/commands.ts';
import { deviceRoutes } from './routes/devices.ts';
import { enrolmentRoutes } from './routes/enrolment.ts';
import { eventRoutes } from './routes/events.ts';
import { exchangeRoutes } from './routes/exchanges.ts';
import { joinPolicyRoutes } from './routes/joins.ts';
import { refusalRoutes } from './routes/refusals.ts';

/** Requests a minute of one address, for all of the API. */
const REQUESTS_A_MINUTE = 1_200;

export interface ApiDeps extends AccessDeps, CommandDeps {
  readonly keys: KeyService;
  readonly trail: Trail;
  readonly broker: () => BrokerView;
  readonly version: string;
}

/** Everything under /api/v1, and its OpenAPI description made from the same schemas. `describeRoot`: paths elsewhere. */
export async function api(
  app: FastifyInstance,
  deps: ApiDeps,
  describeRoot: () => Record<string, object>,
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'SRUP command-and-control server',
        description:
          'States of devices come from their signed receipts. Errors have one form: `{error, message}`.',
        version: deps.version,
        license: { name: 'MIT' },
      },
      servers: [{ url: '/api/v1' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    stripBasePath: true,
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(rateLimit, { max: REQUESTS_A_MINUTE, timeWindow: 60_000 });
  guard(app, deps.tokens);
  app.addHook('onRoute', (route) => {
    const { role } = route.config ?? {};
    route.schema = {
      ...route.schema,
      ...(role === undefined ? {} : { 'x-role': role }),
      response: { ...(route.schema?.response as object | undefined), '4xx': errorBody },
    };
  });

  app.get(
    '/openapi.json',
    { config: { open: true }, schema: { hide: true, response: { 200: z.unknown() } } },
    async () => {
      const document = app.swagger();
      return { ...document, paths: { ...document.paths, ...describeRoot() } };
    },
  );
  await app.register(accessRoutes(deps));
  await app.register(deviceRoutes(deps.fleet));
  await app.register(commandRoutes(deps));
  await app.register(exchangeRoutes(deps.fleet));
  await app.register(joinPolicyRoutes(deps.fleet));
  await app.register(refusalRoutes(deps.fleet));
  await app.register(artifactRoutes(deps.artifacts));
  await app.register(auditRoutes(deps.trail));
  await app.register(enrolmentRoutes(deps.keys));
  await app.register(brokerRoutes(deps.broker));
  await app.register(eventRoutes(deps.fleet, deps.tokens));
}
