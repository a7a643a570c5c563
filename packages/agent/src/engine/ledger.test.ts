import { silentLog } from '@srup/node';
import type { DeviceStep, Finished } from '@srup/protocol';
import { expect, test } from 'vitest';
import { breakable, memoryDisk } from '../../test/memory-disk.ts';
import type { Disk } from '../vault/disk.ts';
import type { Value } from '../vault/journal.ts';
import { openStore, type Store } from '../vault/store.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { readMemory } from './records.ts';

const NOW = Date.UTC(2026, 0, 1);
const MOMENT = { now: NOW, trusted: true, random: 0.5 };
const MOST = 10_000;

const done = (at: number): Finished => ({ kind: 'action', result: 'done', answer: 0x20, content: '7', at });
const open = (disk: Disk): Promise<Store> => openStore('journal', disk, silentLog);
const ledgerOver = (store: Store): Ledger =>
  createLedger({ store, bootId: undefined, clockFloor: () => NOW });

/** A store as full as it gets: one record for each token, `t-0` the oldest. */
async function fullStore(disk: Disk): Promise<Store> {
  const store = await open(disk);
  const records = Array.from({ length: MOST }, (_, n): [string, Value] => [
    `finished/t-${n}`,
    { ...done(NOW + n) },
  ]);
  await store.commit(new Map<string, Value>([...records, ['join', { phase: 'joined', attempts: 0 }]]));
  return store;
}

function commit(ledger: Ledger, token: string): Promise<void> {
  const at = ledger.memory.newest + 1;
  const step: DeviceStep = { state: ledger.state, effects: [], finished: [[token, done(at)]] };
  return ledger.commit({ step, moment: MOMENT, peer: ledger.peer, outgoing: [], unsaid: [] });
}

test('it continues with what the store has, one record for each token', async () => {
  const ledger = ledgerOver(await fullStore(memoryDisk()));
  expect(ledger.state).toEqual({ join: { phase: 'joined', attempts: 0 }, open: {} });
  expect(ledger.memory.get('t-0')).toEqual(done(NOW));
  expect(ledger.memory.newest).toBe(NOW + MOST - 1);
});

test('a forgotten token leaves the store with the next commit; a restart in between knows too much, not too little', async () => {
  const disk = memoryDisk();
  const store = await fullStore(disk);
  const ledger = ledgerOver(store);
  await commit(ledger, 'one');
  expect(ledger.memory.get('t-0')).toBeUndefined();
  expect(store.get('finished/t-0')).toEqual(done(NOW));
  await commit(ledger, 'two');
  const after = readMemory(await open(disk));
  expect([after.get('t-0'), after.get('t-1')]).toEqual([undefined, done(NOW + 1)]);
  expect([after.get('one'), after.get('two')]).not.toContain(undefined);
});

test('a forgotten token that is finished again stays', async () => {
  const disk = memoryDisk();
  const ledger = ledgerOver(await fullStore(disk));
  await commit(ledger, 'one');
  await commit(ledger, 't-0');
  expect(ledger.memory.get('t-0')).toBeDefined();
  await commit(ledger, 'two');
  expect(readMemory(await open(disk)).get('t-0')).toEqual(ledger.memory.get('t-0'));
});

test('a commit that fails changes nothing, in memory neither', async () => {
  const { disk, broken } = breakable(memoryDisk());
  const ledger = ledgerOver(await fullStore(disk));
  broken.append = 'half';
  broken.replace = 'before';
  await expect(commit(ledger, 'one')).rejects.toMatchObject({ name: 'StoreError' });
  expect(ledger.memory.get('one')).toBeUndefined();
  expect(ledger.memory.get('t-0')).toBeDefined();
  delete broken.append;
  delete broken.replace;
  await commit(ledger, 'two');
  const after = readMemory(await open(disk));
  expect([after.get('one'), after.get('t-0')]).toEqual([undefined, done(NOW)]);
  expect(after.get('two')).toBeDefined();
});

test('messages that the broker has leave the store with the next commit, or with a flush', async () => {
  const disk = memoryDisk();
  const store = await open(disk);
  await store.commit(
    new Map([
      ['outbox/1', 'x'],
      ['outbox/2', 'y'],
    ]),
  ); // as they were written before
  const ledger = ledgerOver(store);
  ledger.crossOff(1);
  await ledger.flush();
  expect((await open(disk)).under('outbox/')).toEqual([['2', 'y']]);
});
