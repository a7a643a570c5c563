import helmet from '@fastify/helmet';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyServerOptions,
} from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { API_PREFIX } from '../api/operations.ts';
import { api, type ApiDeps } from './api.ts';
import { installErrorForms, pathOf } from './errors.ts';
import type { HttpsListener } from './listener.ts';
import { limitBodies, PATIENCE } from './patience.ts';
import { serveFiles } from './routes/files.ts';
import { describeRoot, rootRoutes, type RunningDeps } from './routes/running.ts';

/** Bytes of the longest JSON request; uploads have their own limit. */
const BODY_BYTES = 1 << 20;

/**
 * Zod checks what comes in and writes what goes out. Named when the app is made: otherwise Fastify loads Ajv, which
 * takes 10 MiB and is never asked.
 */
const SCHEMA_COMPILERS = {
  buildValidator: () => validatorCompiler,
  buildSerializer: () => serializerCompiler,
} as unknown as NonNullable<FastifyServerOptions['schemaController']>['compilersFactory'] & object;

export interface AppDeps extends ApiDeps, RunningDeps {
  /** Where the requests come from. The app ends its connections when it closes. */
  readonly listener: Pick<HttpsListener, 'server' | 'close'>;
  readonly keyService: FastifyPluginAsync;
  readonly log: FastifyBaseLogger;
  /** Serve `/api/v1` for operators. What devices need is served in any case. */
  readonly withApi: boolean;
  /** Milliseconds until the body of a request must be there; `PATIENCE.bodyMs` by default. */
  readonly bodyMs?: number;
}

/** What the one HTTPS port serves: key service, artifacts, API. It is ready for `listener.serve(app)`. */
export async function createApp(deps: AppDeps): Promise<FastifyInstance> {
  const { listener, bodyMs = PATIENCE.bodyMs } = deps;
  const app = Fastify({
    serverFactory: () => listener.server,
    loggerInstance: deps.log,
    // A request line holds the query; `logRequests` writes one without.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES,
    // A digest fits; so does a token key.
    routerOptions: { maxParamLength: 600 },
    schemaController: { compilersFactory: SCHEMA_COMPILERS },
  }) as unknown as FastifyInstance;
  // After `preClose`, where the streams of events end.
  app.addHook('onClose', () => listener.close());
  installErrorForms(app);
  logRequests(app);
  limitBodies(app, bodyMs);
  await app.register(helmet, { contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } } });
  serveFiles(app, deps.artifacts);
  await app.register(deps.keyService, { prefix: '/KeyEx' });
  let root = app;
  await app.register(async (scope) => {
    await rootRoutes(scope, deps);
    root = scope;
  });
  if (deps.withApi) {
    await app.register((scope) => api(scope, deps, () => describeRoot(root)), { prefix: API_PREFIX });
  }
  await app.ready();
  return app;
}

/** Method, path, status, time: no query, no header, no body. */
function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug(
      {
        method: request.method,
        path: pathOf(request),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
  });
}
