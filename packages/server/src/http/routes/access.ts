import type { ApiTokens } from '../../access/tokens.ts';
import { SET_UP } from '../../api/callers.ts';
import { FleetError } from '../../api/faults.ts';
import type { SetupToken } from '../../vault/setup-token.ts';
import { callerOf, tokenOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export interface AccessDeps {
  readonly tokens: ApiTokens;
  readonly setupToken: Pick<SetupToken, 'matches' | 'consume'>;
}

const USED_MEANWHILE = { ...SET_UP, name: 'a set-up token that was used at the same time' };

export function accessRoutes({
  tokens,
  setupToken,
}: AccessDeps): Handlers<'setUp' | 'getOwnToken' | 'listTokens' | 'createToken' | 'revokeToken'> {
  return {
    setUp: async ({ body: { token, name } }) => {
      // A wrong guess leaves no trace in the trail, which keeps everything for ever.
      if (!setupToken.matches(token)) throw wrongSetupToken();
      // Created first: a fault in between must not use the set-up token up and leave nobody with access.
      const first = await tokens.create(name, 'admin', { isSetUp: true, by: SET_UP });
      if (!(await setupToken.consume(token))) {
        await tokens.remove(first.token.id, USED_MEANWHILE);
        throw wrongSetupToken();
      }
      return first;
    },
    getOwnToken: ({ request }) => tokenOf(request),
    listTokens: () => tokens.list(),
    createToken: ({ body: { name, role, expiresAt }, request }) =>
      tokens.create(name, role, { expiresAt, by: callerOf(request) }),
    revokeToken: async ({ params: { id }, request }) => {
      if (!(await tokens.remove(id, callerOf(request)))) throw new FleetError('not-found', 'no such token');
      return null;
    },
  };
}

function wrongSetupToken(): FleetError {
  return new FleetError(
    'setup-token',
    'this set-up token is wrong or was used: it works once. Log in with an API token, which an admin can create',
  );
}
