import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Caller, Clock } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import { appendAudit } from '../audit/append.ts';
import type { AuditTables } from '../audit/tables.ts';
import type { Migrations } from '../store/migrate.ts';
import type { Store } from '../store/port.ts';

/** What an API token may do; each role may do all of the ones before it. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type ApiRole = (typeof ROLES)[number];

export function allows(role: ApiRole, needed: ApiRole): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

export interface TokenTables {
  api_tokens: {
    id: string;
    hash: string;
    name: string;
    role: ApiRole;
    created_at: number;
    used_at: number | null;
    expires_at: number | null;
  };
}

export const tokenMigrations: Migrations = {
  'tokens-001': {
    async up(db) {
      await db.schema
        .createTable('api_tokens')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('hash', 'text', (column) => column.notNull().unique())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('role', 'text', (column) => column.notNull())
        .addColumn('created_at', 'integer', (column) => column.notNull())
        .addColumn('used_at', 'integer')
        .addColumn('expires_at', 'integer')
        .execute();
    },
  },
};

export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly role: ApiRole;
  readonly createdAt: number;
  readonly usedAt?: number;
  readonly expiresAt?: number;
}

export interface ApiTokens {
  /** The secret is given once; the store keeps its hash. `by`: for the audit trail; by default the program that runs the server. */
  create(name: string, role: ApiRole, how?: TokenWish): Promise<{ secret: string; token: TokenView }>;
  check(secret: string): Promise<TokenView | undefined>;
  list(): Promise<readonly TokenView[]>;
  remove(id: string, by?: Caller): Promise<boolean>;
}

export interface TokenWish {
  /** Ms since 1970; never unless told. */
  readonly expiresAt?: number | undefined;
  /** Does it come from the set-up token? */
  readonly isSetUp?: boolean;
  readonly by?: Caller;
}

/** `used_at` is written at most this often: a look-up should not cost a disk write each time. */
const USE_RESOLUTION_MS = 60_000;
const SECRET_BYTES = 32;

export function openTokens(store: Store<TokenTables & AuditTables>, clock: Clock): ApiTokens {
  async function create(name: string, role: ApiRole, { expiresAt, isSetUp, by = PROGRAM }: TokenWish = {}) {
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
      await store.commit((write) =>
        write.updateTable('api_tokens').set({ used_at: now }).where('id', '=', row.id).execute(),
      );
    }
    return view(row);
  }

  async function list(): Promise<readonly TokenView[]> {
    const rows = await store.read.selectFrom('api_tokens').selectAll().orderBy('created_at').execute();
    return rows.map(view);
  }

  function remove(id: string, by: Caller = PROGRAM): Promise<boolean> {
    return store.commit(async (transaction) => {
      const row = await transaction
        .deleteFrom('api_tokens')
        .where('id', '=', id)
        .returning(['name', 'role'])
        .executeTakeFirst();
      if (row === undefined) return false;
      const body = { change: 'removed', id, ...row, by } as const;
      await appendAudit(transaction, { kind: 'token', at: clock.now(), body });
      return true;
    });
  }

  return { create, check, list, remove };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function view(row: TokenTables['api_tokens']): TokenView {
  const { id, name, role } = row;
  return {
    id,
    name,
    role,
    createdAt: row.created_at,
    ...(row.used_at === null ? {} : { usedAt: row.used_at }),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  };
}
