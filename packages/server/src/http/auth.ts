import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { Caller } from '@srup/protocol';
import type { ApiTokens } from '../access/tokens.ts';
import { tokenCaller } from '../api/callers.ts';
import { FleetError } from '../api/faults.ts';
import type { TokenView } from '../api/forms/tokens.ts';
import { isPermission, PERMISSIONS, permissionsOf, type PermissionName } from '../api/permissions.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route. `open`: everybody may call it. */
    readonly permission?: PermissionName | 'open';
  }
  interface FastifyRequest {
    /** The token of the request; null on a route that is open. */
    token: TokenView | null;
  }
}

const BEARER = /^Bearer (srup_[\w-]{20,100})$/;

/**
 * Checks each request by the permission that its route names. A route that names none, or one that is not in the table,
 * is a mistake of the program and stops the server from starting, so that none is open by oversight.
 */
export function guard(app: FastifyInstance, tokens: ApiTokens): void {
  app.decorateRequest('token', null);
  app.addHook('onRoute', ({ config, url }) => {
    const name = config?.permission;
    if (name === undefined) throw new Error(`the route ${url} names no permission`);
    if (name !== 'open' && !isPermission(name))
      throw new Error(`the route ${url} names the permission "${String(name)}", which there is not`);
  });
  app.addHook('onRequest', requirePermission(tokens));
}

function requirePermission(tokens: ApiTokens): onRequestAsyncHookHandler {
  return async (request) => {
    const { permission } = request.routeOptions.config;
    // A path that no route has: the answer is 404, and tells nothing.
    if (permission === undefined || permission === 'open') return;
    const token = await identify(request.headers.authorization, tokens);
    if (token === undefined) {
      throw new FleetError('unauthenticated', 'send a valid API token as "Authorization: Bearer srup_..."');
    }
    if (!permissionsOf(token.role).has(permission)) throw forbidden(permission, token);
    request.token = token;
  };
}

function forbidden(permission: PermissionName, { name, role }: TokenView): FleetError {
  const needed = PERMISSIONS[permission].role;
  return new FleetError(
    'forbidden',
    `this needs the role ${needed}, for the permission ${permission}; the token "${name}" has the role ${role}`,
  );
}

/** The token with which a request came. Only for routes that need a permission. */
export function tokenOf({ token }: FastifyRequest): TokenView {
  if (token === null) throw new Error('a request without a token came through a route that is open');
  return token;
}

/** Who gives the order. Only for routes that need a permission: without one, nobody may give an order. */
export function callerOf(request: FastifyRequest): Caller {
  return tokenCaller(tokenOf(request));
}

/** The token that an Authorization header holds, if it is valid now. */
export async function identify(
  authorization: string | undefined,
  tokens: ApiTokens,
): Promise<TokenView | undefined> {
  const secret = BEARER.exec(authorization ?? '')?.[1];
  return secret === undefined ? undefined : tokens.check(secret);
}
