import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { Caller } from '@srup/protocol';
import { tokenCaller } from '../api/callers.ts';
import { RequestError } from './errors.ts';
import { allows, type ApiRole, type ApiTokens, type TokenView } from '../access/tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Least role that may call the route; absent only where the route says `open`. */
    readonly role?: ApiRole;
    /** Anybody may call the route. */
    readonly open?: true;
  }
  interface FastifyRequest {
    caller: TokenView | null;
  }
}

const BEARER = /^Bearer (srup_[\w-]{20,100})$/;

/**
 * Checks every route of the API by what its own `config` declares. A route that declares nothing is a mistake of the
 * program and stops the server from starting, so none is open by oversight.
 */
export function guard(app: FastifyInstance, tokens: ApiTokens): void {
  app.decorateRequest('caller', null);
  app.addHook('onRoute', ({ config, url }) => {
    if (config?.role === undefined && config?.open !== true)
      throw new Error(`the route ${url} declares no role`);
  });
  app.addHook('onRequest', requireRole(tokens));
}

function requireRole(tokens: ApiTokens): onRequestAsyncHookHandler {
  return async (request) => {
    const { role, open } = request.routeOptions.config;
    if (open === true || role === undefined) return;
    const caller = await identify(request.headers.authorization, tokens);
    if (caller === undefined) {
      throw new RequestError(
        401,
        'unauthenticated',
        'send a valid API token as "Authorization: Bearer srup_..."',
      );
    }
    if (!allows(caller.role, role)) {
      throw new RequestError(
        403,
        'forbidden',
        `this needs the role ${role}; the token "${caller.name}" is a ${caller.role}`,
      );
    }
    request.caller = caller;
  };
}

/** Who gives the order. A route that is open has no caller, and gives no order. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === null) throw new Error('an order came in through an open route');
  return tokenCaller(caller);
}

/** Whose token an Authorization header holds, if it is a good one now. */
export async function identify(
  authorization: string | undefined,
  tokens: ApiTokens,
): Promise<TokenView | undefined> {
  const secret = BEARER.exec(authorization ?? '')?.[1];
  return secret === undefined ? undefined : tokens.check(secret);
}
