import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { BrokerView } from '../api/forms/broker.ts';
import { API_PREFIX, type OperationName, type Operations } from '../api/operations.ts';
import type { artifactOperations } from '../api/operations/artifacts.ts';
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { Trail } from '../audit/trail.ts';
import type { Fleet } from '../fleet-port.ts';
import type { Orders } from '../orders/orders.ts';
import type { KeyService } from '../keyservice/service.ts';
import { guard } from './auth.ts';
import { accessRoutes, type AccessDeps } from './routes/access.ts';
import { artifactRoutes, takeStreams } from './routes/artifacts.ts';
import { auditRoutes } from './routes/audit.ts';
import { brokerRoutes } from './routes/broker.ts';
import { orderRoutes } from './routes/orders.ts';
import { deviceRoutes } from './routes/devices.ts';
import { enrolmentRoutes } from './routes/enrolment.ts';
import { eventRoutes } from './routes/events.ts';
import { exchangeRoutes } from './routes/exchanges.ts';
import { joinPolicyRoutes } from './routes/joins.ts';
import { refusalRoutes } from './routes/refusals.ts';
import { serve, type Handlers } from './serve.ts';

/** Requests a minute of one address, for all of the API. */
const REQUESTS_A_MINUTE = 1_200;

export interface ApiDeps extends AccessDeps {
  readonly fleet: Fleet;
  readonly orders: Orders;
  readonly artifacts: Artifacts;
  readonly keys: KeyService;
  readonly trail: Trail;
  readonly broker: () => BrokerView;
  readonly version: string;
}

type AtRoot = {
  [Name in OperationName]: Operations[Name] extends { readonly isAtRoot: true } ? Name : never;
}[OperationName];
/** Every operation under the prefix: one without a handler does not compile. */
type UnderPrefix = Exclude<OperationName, AtRoot>;

/** Everything under `/api/v1`, and its OpenAPI description from the same table. `describeRoot`: paths at the root. */
export async function api(
  app: FastifyInstance,
  deps: ApiDeps,
  describeRoot: () => Record<string, object>,
): Promise<void> {
  await describe(app, deps.version);
  await app.register(rateLimit, { max: REQUESTS_A_MINUTE, timeWindow: 60_000 });
  guard(app, deps.tokens);
  const handlers: Handlers<Exclude<UnderPrefix, keyof typeof artifactOperations>> = {
    getOpenApi: () => {
      const document = app.swagger();
      return { ...document, paths: { ...document.paths, ...describeRoot() } };
    },
    ...accessRoutes(deps),
    ...deviceRoutes(deps.fleet),
    ...orderRoutes(deps.orders),
    ...exchangeRoutes(deps.fleet),
    ...joinPolicyRoutes(deps.fleet),
    ...refusalRoutes(deps.fleet),
    ...auditRoutes(deps.trail),
    ...enrolmentRoutes(deps.keys),
    ...brokerRoutes(deps.broker),
    ...eventRoutes(app, deps.fleet, deps.tokens),
  };
  serve(app, handlers);
  await app.register(async (scope) => {
    takeStreams(scope);
    serve(scope, artifactRoutes(deps.artifacts));
  });
}

async function describe(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'SRUP command-and-control server',
        description:
          'States of devices come from their signed receipts. Errors have one form: `{error, message}`.',
        version,
        license: { name: 'MIT' },
      },
      servers: [{ url: API_PREFIX }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    stripBasePath: true,
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
}
