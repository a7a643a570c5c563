import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { FAULT_STATUS, FleetError, type FaultKind } from '../api/faults.ts';
import { DatabaseAway, isFaultOf, Ousted, OutcomeUnknown, StoreFault } from '../store/fault.ts';

interface Answer {
  readonly status: number;
  readonly error: string;
  readonly message: string;
}

/** Gives every error of the API one form. An unexpected error tells nothing about the inside of the server. */
export function installErrorForms(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    send(request, reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const { status, ...body } = fault(
      'not-found',
      `there is nothing at ${request.method} ${pathOf(request)}`,
    );
    void reply.status(status).send(body);
  });
}

function send(request: FastifyRequest, reply: FastifyReply, error: FastifyError): void {
  const { status, ...body } = answerTo(error);
  if (status === 500 || status === 503) request.log.error({ err: error }, 'request failed');
  void reply.status(status).send(body);
}

function answerTo(error: FastifyError): Answer {
  if (error instanceof FleetError) return fault(error.kind, error.message);
  if (error instanceof StoreFault) return fault('store', wordsFor(error));
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validation.map(
      (issue) => `${issue.instancePath.slice(1) || 'request'}: ${issue.message ?? ''}`,
    );
    return fault('invalid', where.join('; '));
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return { status, error: error.code || 'invalid', message: error.message };
  return fault('internal', 'the server failed to do this; its log says more');
}

function wordsFor(trouble: StoreFault): string {
  if (isFaultOf(trouble, OutcomeUnknown)) {
    return 'the database went away while the server stored this: it is stored, or it is not. Look before you try again';
  }
  if (isFaultOf(trouble, Ousted)) {
    return 'another server uses the database now, or it went back in time; this server takes nothing any more, and nothing was changed. Its log says what to do';
  }
  return isFaultOf(trouble, DatabaseAway)
    ? 'the database of the server is away; nothing was changed. Try again when it is back (/readyz tells)'
    : 'the server could not store this (is its disk full?); nothing was changed';
}

function fault(kind: FaultKind, message: string): Answer {
  return { status: FAULT_STATUS[kind], error: kind, message };
}

/** The path of a request without its query, which may hold what a log should not. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string;
}
