import helmet from '@fastify/helmet';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
} from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { API_PREFIX } from '../api/operations.ts';
import { api, type ApiDeps } from './api.ts';
import { installErrorForms, pathOf } from './errors.ts';
import { limitBodies, PATIENCE, type Patience } from './patience.ts';
import { serveFiles } from './routes/files.ts';
import { describeRoot, rootRoutes, type RunningDeps } from './routes/running.ts';

/** Bytes of the longest JSON request; uploads have their own limit. */
const BODY_BYTES = 1 << 20;
/** Milliseconds within which the headers of a request must arrive: a slow client can't hold a connection for long. */
const HEADERS_MS = 15_000;

export interface Tls {
  readonly key: string;
  /** The certificate, then that of the CA: a device that pins the CA finds it in the chain (P 8.6). */
  readonly chain: string;
}

export interface AppDeps extends ApiDeps, RunningDeps {
  readonly tls: Tls;
  readonly keyService: FastifyPluginAsync;
  readonly log: FastifyBaseLogger;
  /** Serve `/api/v1` for operators. What devices need is served in any case. */
  readonly withApi: boolean;
  /** `PATIENCE` by default. */
  readonly patience?: Patience;
}

/** The one HTTPS port: key service, artifacts, API. */
export async function createApp(deps: AppDeps): Promise<FastifyInstance> {
  const { idleMs, bodyMs } = deps.patience ?? PATIENCE;
  const app = Fastify({
    https: { key: deps.tls.key, cert: deps.tls.chain, minVersion: 'TLSv1.2', headersTimeout: HEADERS_MS },
    loggerInstance: deps.log,
    // A request line holds the query; `logRequests` writes one without.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES,
    connectionTimeout: idleMs,
    forceCloseConnections: true,
    // A digest fits; so does a token key.
    routerOptions: { maxParamLength: 600 },
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
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
