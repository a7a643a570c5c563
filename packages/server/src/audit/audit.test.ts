import { describe, expect } from 'vitest';
import { until } from '@srup/node/testing';
import {
  callerText,
  contentHash,
  evidenceOf,
  linkHash,
  NO_LINK,
  type Caller,
  type NewAuditEntry,
} from '@srup/protocol';
import { behind } from '../../test/database.ts';
import { test as base } from '../../test/fixtures.ts';
import { acceptAll, join, report, update, type World } from '../../test/fleet/world.ts';
import { policyCaller, tokenCaller } from '../api/callers.ts';
import { appendAudit } from '../chain/append.ts';
import { sha256 } from '../chain/hash.ts';
import type { AuditRow } from '../store/schema/audit.ts';

const MIA = tokenCaller({ id: '3f2a91c0', name: 'mia' });
const NIGHT_SHIFT = tokenCaller({ id: '77ab', name: 'night shift' });

/** `world` lets every device in, by an order of Mia. */
const it = base.extend('world', async ({ openWorld, worldOptions }): Promise<World> => {
  const world = await openWorld(worldOptions);
  await acceptAll(world, MIA);
  return world;
});

const entries = ({ store }: World): Promise<AuditRow[]> =>
  store.read.selectFrom('audit').selectAll().orderBy('seq').execute();

const kinds = async (world: World): Promise<string[]> => (await entries(world)).map(({ kind }) => kind);

/** Hashes everything again, as somebody else would. */
function expectWhole(rows: readonly AuditRow[]): void {
  let previous = NO_LINK;
  for (const [index, row] of rows.entries()) {
    expect(row.seq).toBe(index + 1);
    previous = linkHash(previous, contentHash(row, sha256), sha256);
    expect(row.hash, `entry ${row.seq}`).toBe(previous);
  }
}

describe('the audit trail', () => {
  it('has entries for a join, an order and its receipts, in that order, each with the hash of its message', async ({
    world,
    device,
  }) => {
    await join(world, device);
    await update(world, device, { digest: 'ab'.repeat(32), by: NIGHT_SHIFT });
    await device.next(world.link, 'ID_REQUEST');

    const rows = await entries(world);
    expectWhole(rows);
    const told = rows.map(({ kind, body }) => {
      const { type, order, by } = JSON.parse(body) as Record<string, string> & { by?: Caller };
      const who = by && callerText(by);
      return [kind, kind === 'message' ? type : order, who].filter((part) => part !== undefined).join(' ');
    });
    expect(told).toEqual([
      `policy ${callerText(MIA)}`,
      'device',
      'message JOIN_REQ',
      `decision ${callerText(policyCaller('demo'))}`,
      'message RESPONSE',
      'message ID_REQUEST',
      // Telemetry waits for company, and comes before the next message that has an entry of its own.
      `order update ${callerText(NIGHT_SHIFT)}`,
      'messages',
      'message INITIATE',
      'message RESPONSE',
      'message ACTIVATE',
      'message RESPONSE',
      'message ID_REQUEST',
    ]);
    for (const { kind, evidence, body } of rows) {
      if (kind !== 'message') continue;
      const { id } = JSON.parse(body) as { id: number };
      const message = await world.store.read
        .selectFrom('messages')
        .select('bytes')
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      expect(evidence).toBe(sha256(message.bytes));
    }
  });

  it('holds an entry and what it records together, or neither', async ({ world }) => {
    const before = await kinds(world);
    const lost = world.store.commit(async (transaction) => {
      await appendAudit(transaction, { kind: 'alarm', at: 1, body: { what: 'x' } });
      throw new Error('power cut');
    });
    await expect(lost).rejects.toThrow('power cut');
    expect(await kinds(world)).toEqual(before);
    const entry: NewAuditEntry = { kind: 'alarm', at: 1, body: { what: 'x' } };
    // @ts-expect-error an entry outside of a transaction does not compile
    const outside = (): Promise<void> => appendAudit(world.store.read, entry);
    expect(outside).toBeTypeOf('function');
  });

  it('refuses every change but an append', async ({ world }) => {
    const change = behind(world.store).updateTable('audit').set({ at: 0 }).execute();
    await expect(change).rejects.toThrow('append-only');
    await expect(behind(world.store).deleteFrom('audit').execute()).rejects.toThrow('append-only');
  });

  it('grows little when a joined device floods, and keeps the hashes of what was trimmed', async ({
    device,
    openWorld,
  }) => {
    const world = await openWorld({ keep: { rows: 200, bytes: 1 << 20, proofs: 10 } });
    await acceptAll(world, MIA);
    await join(world, device);
    const count = 500;
    for (let sent = 0; sent < count; sent += 1) {
      await report(world, device, sent);
    }
    const data = async () => (await world.fleet.data({ device: device.text, limit: 500 })).rows;
    await until('data', async () => (await data()).length > 0);
    const rows = await entries(world);
    expectWhole(rows);
    expect(rows.length).toBeLessThan(count / 5);
    const bundles = rows.filter(({ kind }) => kind === 'messages');
    const told = bundles.map(({ body }) => JSON.parse(body) as { from: number; to: number; count: number });
    expect(told.reduce((sum, bundle) => sum + bundle.count, 0)).toBeGreaterThan(count / 2);
    expect(rows.some(({ kind }) => kind === 'trim')).toBe(true);
    // One that is whole: its hash is that of the hashes of its messages.
    const index = told.length - 1;
    const { from = 0, to = 0 } = told[index] ?? {};
    const messages = await world.store.read
      .selectFrom('messages')
      .select('bytes')
      .where('id', '>=', from)
      .where('id', '<=', to)
      .orderBy('id')
      .execute();
    const hashes = messages.map(({ bytes }) => sha256(bytes));
    expect(bundles[index]?.evidence).toBe(evidenceOf(hashes, sha256));
  });
});
