import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import { everythingIn } from '../../test/database.ts';
import { test as base } from '../../test/fixtures.ts';
import { openTokens } from './tokens.ts';

const DAY = 86_400_000;

const it = base.extend('tokens', ({ store, clock }) => openTokens(store, clock));

describe('API tokens', () => {
  it('are known by their secret, of which only a hash is stored', async ({ database, tokens }) => {
    const { secret, token } = await tokens.create('night shift', 'operator');
    expect(await tokens.check(secret)).toMatchObject({ id: token.id, name: 'night shift', role: 'operator' });
    expect(await tokens.check(`${secret}x`)).toBeUndefined();
    expect(await tokens.check(secret.slice(0, -1))).toBeUndefined();
    const kept = await everythingIn(database);
    expect(kept).toContain('night shift');
    expect(kept).not.toContain(secret);
  });

  it.for(['viewer', 'operator', 'admin'] as const)(
    'that release 0.1 stored for the role %s work',
    async (role, { store, tokens }) => {
      const secret = `srup_${'x'.repeat(43)}`;
      const hash = createHash('sha256').update(secret).digest('hex');
      const row = { id: 'old', hash, name: 'old', role, created_at: 1, used_at: null, expires_at: null };
      await store.commit((write) => write.insertInto('api_tokens').values(row).execute());
      expect(await tokens.check(secret)).toEqual({ id: 'old', name: 'old', role, createdAt: 1 });
    },
  );

  it('end when they expire and when they are removed', async ({ tokens, clock }) => {
    const short = await tokens.create('guest', 'viewer', { expiresAt: clock.now() + DAY });
    const long = await tokens.create('operator', 'operator');
    clock.advance(DAY);
    expect(await tokens.check(short.secret)).toBeUndefined();
    expect(await tokens.check(long.secret)).toBeDefined();
    expect(await tokens.remove(long.token.id)).toBe(true);
    expect(await tokens.remove(long.token.id)).toBe(false);
    expect(await tokens.check(long.secret)).toBeUndefined();
  });

  it('tell when they were last used', async ({ tokens, clock }) => {
    const { secret } = await tokens.create('a', 'viewer');
    expect((await tokens.list())[0]).not.toHaveProperty('usedAt');
    clock.advance(DAY);
    await tokens.check(secret);
    expect((await tokens.list())[0]).toMatchObject({ usedAt: clock.now() });
  });
});
