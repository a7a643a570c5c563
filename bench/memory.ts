/** What a device pays for one finished action, by how many finished tokens it remembers (P 6.4). */
import { createQueue, silentLog } from '@srup/node';
import {
  encodeText,
  initialDevice,
  stepDevice,
  type Finished,
  type Fresh,
  type Moment,
} from '@srup/protocol';
import { createLedger, type Ledger } from '../packages/agent/src/engine/ledger.ts';
import type { Disk } from '../packages/agent/src/vault/disk.ts';
import { encodeCommit, type Value } from '../packages/agent/src/vault/journal.ts';
import { openStore } from '../packages/agent/src/vault/store.ts';
import { measure, type Task } from './measure.ts';
import type { Section } from './report.ts';

/** Milliseconds for one finished action, with this many tokens remembered. */
const TARGET = { ms: 1, remembered: 10_000 };
const MONTH = 31 * 24 * 60 * 60 * 1000;
const START = Date.UTC(2026, 0, 1);
/** The device that remembers nothing begins anew after this many actions. */
const FEW = 32;
const FACTS = { self: 1n, identification: 'bench', allowHttp: false };

/** A journal whose disk costs nothing: what remains is the work of the agent. */
function freeDisk(content: Uint8Array): Disk {
  const done = () => Promise.resolve();
  const extend = () => Promise.resolve({ append: done, close: done });
  return { read: () => Promise.resolve(content), replace: done, extend };
}

/** Like tokens of a server: UUIDv7, here without their time. */
function tokenName(n: number): string {
  return `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
}

async function ledgerOf(remembered: number): Promise<Ledger> {
  const done: Omit<Finished, 'at'> = { kind: 'action', result: 'done', answer: 0x20, content: '7' };
  const entries = Array.from({ length: remembered }, (_, n): [string, Value] => [
    `finished/${tokenName(n)}`,
    { ...done, at: START - remembered + n },
  ]);
  const joined: [string, Value] = ['join', { ...initialDevice().join, phase: 'joined' }];
  const journal = encodeCommit(0, new Map([joined, ...entries]));
  const store = await openStore('journal', freeDisk(journal), silentLog);
  return createLedger({ store, bootId: undefined, clockFloor: () => START });
}

/** ACTION is heard, done and answered: two steps, two commits. */
async function finishAction(ledger: Ledger, n: number, moment: Moment): Promise<void> {
  const token = tokenName(n);
  const body = { actionId: 7 };
  const message = { type: 'ACTION', token: encodeText(token), sequence: 1n, sender: 2n, body };
  const heard = { on: 'message', message: { message } as unknown as Fresh } as const;
  for (const input of [heard, { on: 'acted', token, outcome: 'done' } as const]) {
    const step = stepDevice(ledger.state, ledger.memory, input, moment, FACTS);
    await ledger.commit({ step, moment, peer: ledger.peer, outgoing: [], unsaid: [] });
  }
}

/** Finishes one action after another. `passMs`: between two of them; after a month, old tokens are forgotten. */
async function task(name: string, remembered: number, passMs: number): Promise<Task> {
  const queue = createQueue();
  let ledger = await ledgerOf(remembered);
  let n = remembered;
  let now = START;
  return {
    name,
    run: () =>
      queue.run(async () => {
        now += passMs;
        n += 1;
        if (remembered === 0 && n % FEW === 0) ledger = await ledgerOf(0);
        await finishAction(ledger, n, { now, trusted: true, random: 0.5 });
      }),
  };
}

export async function benchmark(): Promise<Section[]> {
  const rates = await measure([
    await task(`fewer than ${FEW} remembered`, 0, 1),
    await task('256 remembered', 256, MONTH),
    await task(`${TARGET.remembered.toLocaleString('en')} remembered`, TARGET.remembered, 1),
  ]);
  const ms = 1000 / (rates.at(-1)?.perSecond ?? NaN);
  const target = {
    what: `with ${TARGET.remembered.toLocaleString('en')} remembered: under ${TARGET.ms} ms`,
    measured: `${ms.toFixed(3)} ms`,
    met: ms < TARGET.ms,
  };
  return [{ title: 'Device: one finished action, beside the disk', rates, targets: [target] }];
}
