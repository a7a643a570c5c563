import rateLimit from '@fastify/rate-limit';
import type { FastifyError, FastifyPluginAsync, FastifyReply } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isSuiteName } from '@srup/protocol';
import { refuse, SERVICE_FAULTS, type Answer, type Refusal } from '../faults.ts';
import { rateLimits, type KeyServiceLimits } from './limits.ts';
import {
  accessAnswer,
  accessBody,
  c2Answer,
  c2Body,
  identityField,
  registerAnswer,
  registerBody,
  statusAnswer,
  validateAnswer,
  validateBody,
} from '../requests.ts';
import type { KeyService } from '../service.ts';

/** Bytes of a request. The longest honest one, a CSR with a signature of ML-DSA-65, has about 9,000. */
const BODY_BYTES = 32_768;

/**
 * The routes of the key service (P 8). Every refusal has the form `{error, message}`.
 *
 * @example
 * await app.register(keyServiceRoutes(service), { prefix: '/KeyEx' });
 */
export function keyServiceRoutes(service: KeyService, limits: KeyServiceLimits = {}): FastifyPluginAsync {
  return async (scope) => {
    const app = scope.withTypeProvider<ZodTypeProvider>();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const refusal = refusalFor(error);
      if (refusal.fault === 'unavailable') request.log.error({ err: error }, 'the key service failed');
      return send(reply, refusal);
    });
    // The body is JSON whatever its content type is: some clients send none.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      '*',
      { parseAs: 'string', bodyLimit: BODY_BYTES },
      app.getDefaultJsonParser('error', 'error'),
    );
    await app.register(rateLimit, { global: false });
    const { registering, introducing, proving } = rateLimits(scope, service, limits);

    app.get('/register/status', { schema: { response: { 200: statusAnswer } } }, () => service.status());

    app.post(
      '/register/register',
      { config: registering, schema: { body: registerBody, response: { 201: registerAnswer } } },
      async (request, reply) => give(reply, 201, await service.register(request.body)),
    );

    app.post(
      '/register/validate',
      { config: proving, schema: { body: validateBody, response: { 200: validateAnswer } } },
      async (request, reply) => give(reply, 200, await service.validate(request.body)),
    );

    app.post(
      '/register/access',
      { config: proving, schema: { body: accessBody, response: { 200: accessAnswer } } },
      async (request, reply) => give(reply, 200, await service.access(request.body)),
    );

    app.post(
      '/register/c2/',
      { config: introducing, schema: { body: c2Body, response: { 201: c2Answer } } },
      async (request, reply) => give(reply, 201, await service.registerC2(request.body)),
    );

    app.get(
      '/register/get_key/:identity',
      { schema: { params: identityParams, querystring: z.object({ suite: suiteField }) } },
      async (request, reply) =>
        giveText(reply, await service.keyOf(request.params.identity, request.query.suite)),
    );

    app.get('/register/get_type/:identity', { schema: { params: identityParams } }, async (request, reply) =>
      giveText(reply, await service.typeOf(request.params.identity)),
    );

    app.get('/register/c2_check/:identity', { schema: { params: identityParams } }, async (request, reply) =>
      (await service.isC2(request.params.identity))
        ? reply.send({ identity: request.params.identity })
        : send(reply, refuse('not-found', 'no such C2 server is registered here')),
    );
  };
}

const identityParams = z.object({ identity: identityField });
const suiteField = z.string().refine(isSuiteName, 'must be rsa-sha256, ed25519 or ml-dsa-65').optional();

function give<Value>(reply: FastifyReply, status: 200 | 201, result: Answer<Value>): FastifyReply {
  return result.ok ? reply.status(status).send(result.value) : send(reply, result);
}

function giveText(reply: FastifyReply, result: Answer<string>): FastifyReply {
  return result.ok ? reply.type('text/plain').send(result.value) : send(reply, result);
}

function send(reply: FastifyReply, { fault, message }: Refusal): FastifyReply {
  return reply.status(SERVICE_FAULTS[fault]).send({ error: fault, message });
}

/** An error is never answered with 500 (P 8.4): what is not the client's mistake is worth another try. */
function refusalFor(error: FastifyError): Refusal {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const mistakes = error.validation.map(
      ({ instancePath, message }) =>
        `${instancePath.slice(1) || 'the body'}: ${message ?? 'has the wrong form'}`,
    );
    return refuse('invalid', mistakes.join('; '));
  }
  switch (error.statusCode) {
    case 413:
      return refuse('too-large', `a request has at most ${BODY_BYTES} bytes`);
    case 429:
      return refuse(
        'too-many-requests',
        'too many requests from this address: wait for as long as Retry-After says',
      );
    default:
      return error.statusCode !== undefined && error.statusCode < 500
        ? refuse('invalid', `the request can't be read: ${error.message}`)
        : refuse('unavailable', 'the key service could not do this now: try again in a while');
  }
}
