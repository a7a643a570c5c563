import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqlite } from '../store/sqlite/open.ts';
import { openTokens, type ApiTokens } from './tokens.ts';
import type { Store } from '../store/port.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';

type Tables = CoreTables;

const DAY = 86_400_000;

let folder: string;
let now: number;
let store: Store<Tables>;
let tokens: ApiTokens;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-tokens-'));
  now = 1_800_000_000_000;
  store = await openSqlite<Tables>(join(folder, 'test.db'), { ...coreMigrations, ...coreMigrations });
  tokens = openTokens(store, { now: () => now, monotonic: () => now, isTrusted: () => true });
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

describe('API tokens', () => {
  it('are known by their secret, of which only a hash is stored', async () => {
    const { secret, token } = await tokens.create('night shift', 'operator');
    expect(await tokens.check(secret)).toMatchObject({ id: token.id, name: 'night shift', role: 'operator' });
    expect(await tokens.check(`${secret}x`)).toBeUndefined();
    expect(await tokens.check(secret.slice(0, -1))).toBeUndefined();
    const files = await Promise.all(
      ['test.db', 'test.db-wal'].map((name) => readFile(join(folder, name), 'latin1')),
    );
    expect(files.join('')).toContain('night shift');
    expect(files.join('')).not.toContain(secret);
  });

  it.each(['viewer', 'operator', 'admin'] as const)(
    'that release 0.1 stored for the role %s work',
    async (role) => {
      const secret = `srup_${'x'.repeat(43)}`;
      const hash = createHash('sha256').update(secret).digest('hex');
      const row = { id: 'old', hash, name: 'old', role, created_at: 1, used_at: null, expires_at: null };
      await store.commit((write) => write.insertInto('api_tokens').values(row).execute());
      expect(await tokens.check(secret)).toEqual({ id: 'old', name: 'old', role, createdAt: 1 });
    },
  );

  it('end when they expire and when they are removed', async () => {
    const short = await tokens.create('guest', 'viewer', { expiresAt: now + DAY });
    const long = await tokens.create('operator', 'operator');
    now += DAY;
    expect(await tokens.check(short.secret)).toBeUndefined();
    expect(await tokens.check(long.secret)).toBeDefined();
    expect(await tokens.remove(long.token.id)).toBe(true);
    expect(await tokens.remove(long.token.id)).toBe(false);
    expect(await tokens.check(long.secret)).toBeUndefined();
  });

  it('tell when they were last used', async () => {
    const { secret } = await tokens.create('a', 'viewer');
    expect((await tokens.list())[0]).not.toHaveProperty('usedAt');
    now += DAY;
    await tokens.check(secret);
    expect((await tokens.list())[0]).toMatchObject({ usedAt: now });
  });
});
