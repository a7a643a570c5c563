import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Caller, Clock } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import type { CreatedToken, TokenView } from '../api/forms/tokens.ts';
import type { Role } from '../api/vocabulary.ts';
import { DatabaseAway, OutcomeUnknown } from '../store/fault.ts';
import type { Store } from '../store/port.ts';
import type { ApiTokenRow } from '../store/schema/tokens.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { appendAudit } from '../chain/append.ts';

/** Tokens for the HTTP API, one for each person or program. The store keeps a hash of each secret. */
export interface ApiTokens {
  /**
   * Creates a token. Its secret is shown this once.
   *
   * @example
   * const { secret } = await tokens.create('night shift', 'operator', { expiresAt: Date.now() + 90 * DAY });
   */
  create(name: string, role: Role, how?: TokenWish): Promise<CreatedToken>;
  /** The token with this secret, if it is valid now. */
  check(secret: string): Promise<TokenView | undefined>;
  /** Oldest first. */
  list(): Promise<readonly TokenView[]>;
  /** Revokes a token; false when there is none with this id. */
  remove(id: string, by?: Caller): Promise<boolean>;
}

export interface TokenWish {
  /** Milliseconds since 1970; by default the token does not expire. */
  readonly expiresAt?: number | undefined;
  /** The token is made with the set-up token. */
  readonly isSetUp?: boolean;
  /** Who creates the token, for the audit trail; by default the program that runs the server. */
  readonly by?: Caller;
}

/** Milliseconds between two updates of `used_at`: a look-up should not cost a write to the disk each time. */
const USE_RESOLUTION_MS = 60_000;
const SECRET_BYTES = 32;

export function openTokens(store: Store<CoreTables>, clock: Clock): ApiTokens {
  async function create(name: string, role: Role, { expiresAt, isSetUp, by = PROGRAM }: TokenWish = {}) {
    const secret = `srup_${randomBytes(SECRET_BYTES).toString('base64url')}`;
    const row = {
      id: randomUUID(),
      hash: hashOf(secret),
      name,
      role,
      created_at: clock.now(),
      used_at: null,
      expires_at: expiresAt ?? null,
    };
    await store.commit(async (transaction) => {
      await transaction.insertInto('api_tokens').values(row).execute();
      const body = { change: isSetUp === true ? 'set-up' : 'created', id: row.id, name, role, by } as const;
      await appendAudit(transaction, { kind: 'token', at: row.created_at, body });
    });
    return { secret, token: view(row) };
  }

  async function check(secret: string): Promise<TokenView | undefined> {
    // The secret is random and long: a look-up by its hash leaks nothing that timing could find.
    const row = await store.read
      .selectFrom('api_tokens')
      .selectAll()
      .where('hash', '=', hashOf(secret))
      .executeTakeFirst();
    const now = clock.now();
    if (row === undefined || (row.expires_at !== null && row.expires_at <= now)) return undefined;
    if (row.used_at === null || now - row.used_at > USE_RESOLUTION_MS) {
      await noteUse(row.id, now);
    }
    return view(row);
  }

  async function noteUse(id: string, now: number): Promise<void> {
    try {
      await store.commit((write) =>
        write.updateTable('api_tokens').set({ used_at: now }).where('id', '=', id).execute(),
      );
    } catch (fault) {
      // Whatever became of that, nothing of the request itself was begun.
      if (fault instanceof OutcomeUnknown) throw new DatabaseAway(fault.message, { cause: fault.cause });
      throw fault;
    }
  }

  async function list(): Promise<readonly TokenView[]> {
    const rows = await store.read.selectFrom('api_tokens').selectAll().orderBy('created_at').execute();
    return rows.map(view);
  }

  function remove(id: string, by: Caller = PROGRAM): Promise<boolean> {
    const at = clock.now();
    return store.commit(async (transaction) => {
      const row = await transaction
        .deleteFrom('api_tokens')
        .where('id', '=', id)
        .returning(['name', 'role'])
        .executeTakeFirst();
      if (row === undefined) return false;
      const body = { change: 'removed', id, ...row, by } as const;
      await appendAudit(transaction, { kind: 'token', at, body });
      return true;
    });
  }

  return { create, check, list, remove };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function view(row: ApiTokenRow): TokenView {
  const { id, name } = row;
  const role = row.role as Role;
  return {
    id,
    name,
    role,
    createdAt: row.created_at,
    ...(row.used_at === null ? {} : { usedAt: row.used_at }),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  };
}
