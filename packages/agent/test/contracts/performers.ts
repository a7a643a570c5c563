/** What all performers keep to: the real ones and those that a test scripts. */
import { describe, expect } from 'vitest';
import type { Performers } from '../../src/engine/performers.ts';
import { test } from '../fixtures.ts';

const TOKEN = '01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f90';
const DIGEST = 'ab'.repeat(32);
const never = new AbortController().signal;

/** `open`: performers over an empty folder. Nothing listens at the address of the software. */
export function testPerformers(name: string, open: (folder: string) => Performers): void {
  describe(`the contract of performers: ${name}`, () => {
    const effects = {
      fetch: (performers: Performers, signal: AbortSignal) =>
        performers.fetch(
          { do: 'fetch', token: TOKEN, url: 'https://127.0.0.1:9/file', digest: DIGEST },
          signal,
        ),
      install: (performers: Performers, signal: AbortSignal) =>
        performers.install({ do: 'install', token: TOKEN, digest: DIGEST }, signal),
      act: (performers: Performers, signal: AbortSignal) =>
        performers.act({ do: 'act', token: TOKEN, actionId: 6 }, signal),
      deliver: (performers: Performers, signal: AbortSignal) =>
        performers.deliver({ do: 'deliver', token: TOKEN, dataId: 'x', data: Buffer.from('1') }, signal),
    };

    test('nothing runs before the start and after the stop', async ({ folder }) => {
      const performers = open(folder);
      expect(performers.running()).toMatchObject({ program: 'none', restarts: 0 });
      await performers.start();
      await performers.stop();
      expect(['none', 'stopped']).toContain(performers.running().program);
    });

    test('every effect has an outcome of its kind', async ({ folder, later }) => {
      const performers = open(folder);
      await performers.start();
      later(() => performers.stop());
      expect(['ok', 'http-error', 'no-server', 'no-file', 'bad-digest']).toContain(
        await effects.fetch(performers, never),
      );
      expect(['active', 'reverted', 'deferred']).toContain(
        (await effects.install(performers, never)).outcome,
      );
      expect(['done', 'unknown', 'failed']).toContain((await effects.act(performers, never)).outcome);
      expect(['taken', 'unknown']).toContain(await effects.deliver(performers, never));
    });

    test.for(['fetch', 'install'] as const)(
      '%s rejects with the reason when the agent stops: it is performed again at the next start',
      async (effect, { folder, later }) => {
        const performers = open(folder);
        await performers.start();
        later(() => performers.stop());
        const reason = new Error('the agent stops');
        await expect(effects[effect](performers, AbortSignal.abort(reason))).rejects.toBe(reason);
      },
    );

    test('an effect can be performed again, and has the same outcome', async ({ folder, later }) => {
      const performers = open(folder);
      await performers.start();
      later(() => performers.stop());
      const first = await effects.install(performers, never);
      expect((await effects.install(performers, never)).outcome).toBe(first.outcome);
    });

    test('a stop can be repeated', async ({ folder }) => {
      const performers = open(folder);
      await performers.start();
      await performers.stop();
      await performers.stop();
    });

    test('after an erasure nothing runs, and they start anew', async ({ folder, later }) => {
      const performers = open(folder);
      await performers.start();
      await performers.erase();
      expect(performers.running()).toMatchObject({ program: 'none' });
      expect(performers.running().digest).toBeUndefined();
      await performers.start();
      later(() => performers.stop());
      expect(['ok', 'http-error', 'no-server', 'no-file', 'bad-digest']).toContain(
        await effects.fetch(performers, never),
      );
    });
  });
}
