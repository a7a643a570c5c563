import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';
import { SET_UP } from '../../api/callers.ts';
import { tokenView } from '../../api/forms.ts';
import { ROLES, type ApiTokens } from '../../access/tokens.ts';
import type { SetupToken } from '../../vault/setup-token.ts';

const name = z.string().trim().min(1).max(100);
const created = z.object({ secret: z.string().describe('shown this once'), token: tokenView });
const tags = ['access'];

export interface AccessDeps {
  readonly tokens: ApiTokens;
  readonly setupToken: Pick<SetupToken, 'matches' | 'consume'>;
}

function wrongSetupToken(): RequestError {
  return new RequestError(
    401,
    'setup-token',
    'this set-up token is wrong or was used: it works once. Log in with an API token, which an admin can create',
  );
}

export function accessRoutes({ tokens, setupToken }: AccessDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/setup',
      {
        // Few tries a minute: the token can't be guessed, and shouldn't be tried.
        config: { open: true, rateLimit: { max: 10, timeWindow: 60_000 } },
        schema: {
          tags,
          summary: 'Exchange the one-time set-up token for the first API token',
          security: [],
          body: z.object({ token: z.string().max(200), name: name.default('first operator') }),
          response: { 201: created },
        },
      },
      async (request, reply) => {
        const { token, name } = request.body;
        // Who only guesses leaves no trace in the trail, which keeps everything for ever.
        if (!setupToken.matches(token)) throw wrongSetupToken();
        // Made first: a fault in between must not use the set-up token up and leave nobody with access.
        const first = await tokens.create(name, 'admin', { isSetUp: true, by: SET_UP });
        if (!(await setupToken.consume(token))) {
          await tokens.remove(first.token.id, {
            ...SET_UP,
            name: 'a set-up token that was used at the same time',
          });
          throw wrongSetupToken();
        }
        return reply.status(201).send(first);
      },
    );

    app.get(
      '/me',
      {
        config: { role: 'viewer' },
        schema: { tags, summary: 'The token that is used', response: { 200: tokenView } },
      },
      async (request) => request.caller as NonNullable<typeof request.caller>,
    );

    app.get(
      '/tokens',
      {
        config: { role: 'admin' },
        schema: { tags, summary: 'API tokens', response: { 200: z.array(tokenView).readonly() } },
      },
      () => tokens.list(),
    );

    app.post(
      '/tokens',
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: 'Create an API token',
          body: z.object({ name, role: z.enum(ROLES), expiresAt: z.number().int().positive().optional() }),
          response: { 201: created },
        },
      },
      async (request, reply) => {
        const { name, role, expiresAt } = request.body;
        return reply.status(201).send(await tokens.create(name, role, { expiresAt, by: callerOf(request) }));
      },
    );

    app.delete(
      '/tokens/:id',
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: 'Revoke an API token',
          params: z.object({ id: z.string().max(100) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        if (!(await tokens.remove(request.params.id, callerOf(request))))
          throw new RequestError(404, 'not-found', 'no such token');
        return reply.status(204).send(null);
      },
    );
  };
}
