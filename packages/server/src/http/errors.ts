import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ArtifactError } from '../artifacts/artifacts.ts';
import { FleetError } from '../contract.ts';
import { StoreFault } from '../store/fault.ts';

/** Body of every answer that is not a success. */
export const errorBody = z
  .object({
    error: z.string().describe('stable code'),
    message: z.string().describe('what happened, why, and what to do'),
  })
  .meta({ id: 'Error' });

/** A request that can't be met, in words for the person who made it. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const FLEET_STATUS = { 'not-found': 404, conflict: 409, invalid: 400 } as const;
const ARTIFACT_STATUS = {
  'too-large': 413,
  empty: 400,
  'digest-mismatch': 422,
  'no-space': 507,
  'in-use': 409,
} as const;

interface Answer {
  readonly status: number;
  readonly error: string;
  readonly message: string;
}

/** Every error of the API has one form; an unexpected one says nothing of the inside. */
export function installErrorForms(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    send(request, reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    void reply
      .status(404)
      .send({ error: 'not-found', message: `there is nothing at ${request.method} ${pathOf(request)}` });
  });
}

function send(request: FastifyRequest, reply: FastifyReply, error: FastifyError): void {
  const answer = answerTo(error);
  if (answer.status === 500 || answer.status === 503) request.log.error({ err: error }, 'request failed');
  void reply.status(answer.status).send({ error: answer.error, message: answer.message });
}

function answerTo(error: FastifyError): Answer {
  if (error instanceof RequestError)
    return { status: error.status, error: error.code, message: error.message };
  if (error instanceof FleetError)
    return { status: FLEET_STATUS[error.kind], error: error.kind, message: error.message };
  if (error instanceof StoreFault) {
    const message = 'the server could not store this (is its disk full?); nothing was changed';
    return { status: 503, error: 'store', message };
  }
  if (error instanceof ArtifactError) {
    return { status: ARTIFACT_STATUS[error.code], error: error.code, message: error.message };
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validation.map(
      (issue) => `${issue.instancePath.slice(1) || 'request'}: ${issue.message ?? ''}`,
    );
    return { status: 400, error: 'invalid', message: where.join('; ') };
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return { status, error: error.code || 'invalid', message: error.message };
  return { status: 500, error: 'internal', message: 'the server failed to do this; its log says more' };
}

/** Without the query, which may hold what a log should not. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string;
}
