/** Makes routes from the table of operations: a route file holds only the handlers. */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorBody } from '../api/forms/errors.ts';
import { OPERATIONS, type OperationName, type Operations } from '../api/operations.ts';
import type { AnswerOf, BodyOf, Operation, ParamsOf, QueryOf } from '../api/operations/operation.ts';
import { PERMISSIONS } from '../api/permissions.ts';

/** A request that was checked against the forms of its operation. */
export interface Asked<Of extends Operation> {
  readonly params: ParamsOf<Of>;
  readonly query: QueryOf<Of>;
  readonly body: BodyOf<Of>;
  readonly request: FastifyRequest;
  /** For headers, and for another status than that of a success. The handler does not send. */
  readonly reply: FastifyReply;
}

type Result<Of extends Operation> = Of['gives'] extends string ? Readable | string : AnswerOf<Of>;

/** What an operation of each of these names does. */
export type Handlers<Names extends OperationName> = {
  readonly [Name in Names]: (
    asked: Asked<Operations[Name]>,
  ) => Result<Operations[Name]> | Promise<Result<Operations[Name]>>;
};

type AnyHandler = (asked: unknown) => unknown;

/**
 * Adds a route for each handler: method, path, permission, forms and status come from the table.
 *
 * @example
 * serve(app, { listDevices: ({ query }) => fleet.devices(query) });
 */
export function serve<Names extends OperationName>(app: FastifyInstance, handlers: Handlers<Names>): void {
  for (const [name, handle] of Object.entries(handlers)) {
    const operation: Operation = OPERATIONS[name as OperationName];
    addRoute(app, name, operation, handle as AnyHandler);
  }
}

function addRoute(app: FastifyInstance, name: string, operation: Operation, handle: AnyHandler): void {
  const { method, path, permission, mostAMinute, takes, gives, status = 200 } = operation;
  app.route({
    method,
    url: path,
    config: {
      permission,
      ...(mostAMinute !== undefined && { rateLimit: { max: mostAMinute, timeWindow: 60_000 } }),
    },
    // A body that is not JSON is a stream of any size.
    ...(takes !== undefined && { bodyLimit: Number.MAX_SAFE_INTEGER }),
    schema: schemaOf(name, operation),
    handler: async (request, reply) => {
      const { params, query, body } = request;
      void reply.status(status);
      const answer = await handle({ params, query, body, request, reply });
      if (gives !== undefined && !reply.hasHeader('content-type')) void reply.header('content-type', gives);
      return answer;
    },
  });
}

function schemaOf(name: string, operation: Operation): Readonly<Record<string, unknown>> {
  const { permission, tag, summary, description, params, query, body, takes, gives } = operation;
  const { status = 200, answer, others, events, isAtRoot, isHidden } = operation;
  const response = {
    ...(answer !== undefined && { [status]: answer }),
    ...others,
    ...(isAtRoot !== true && { '4xx': errorBody }),
  };
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(permission === 'open'
      ? { security: [] }
      : { 'x-permission': permission, 'x-role': PERMISSIONS[permission].role }),
    ...(params !== undefined && { params }),
    ...(query !== undefined && { querystring: query }),
    ...(body !== undefined && { body }),
    ...(takes !== undefined && { consumes: [takes] }),
    ...(gives !== undefined && { produces: [gives] }),
    ...(events !== undefined && {
      'x-events': { $ref: `#/components/schemas/${String(events.meta()?.['id'])}` },
    }),
    ...(isHidden === true && { hide: true }),
    ...(Object.keys(response).length > 0 && { response }),
  };
}
