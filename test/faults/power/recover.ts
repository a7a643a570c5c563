/** What must be true of a device after a power cut, read by the code that the agent itself starts with. */
import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { homeAt, type Home } from '@srup/agent';
import { advance, decode, tokenKey, type Message } from '@srup/protocol';
import { readMemory, readPeer, readState } from '../../../packages/agent/src/engine/records.ts';
import { realDisk } from '../../../packages/agent/src/vault/disk.ts';
import { loadCredentials } from '../../../packages/agent/src/vault/identity.ts';
import { readLeft } from '../../../packages/agent/src/vault/left.ts';
import { openStore, type Store } from '../../../packages/agent/src/vault/store.ts';
import { openRecord } from '../../../packages/agent/src/software/record.ts';
import { openSlots } from '../../../packages/agent/src/software/slots.ts';
import { SERVER_ID } from '../../../packages/agent/test/world.ts';
import type { Image, Mark, Operation } from './disk.ts';
import type { Recording } from './scenario.ts';

export async function materialise(image: Image, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [path, file] of image) {
    if (file === undefined) await mkdir(join(folder, path), { recursive: true, mode: 0o700 });
    else await writeFile(join(folder, path), file.bytes, { mode: file.mode });
  }
}

/** What is wrong with the state in a folder, given what the world had seen; nothing, in a good world. */
export async function findFaults(
  folder: string,
  seen: readonly Mark[],
  recording: Recording,
): Promise<string[]> {
  const faults: string[] = [];
  const home = homeAt(folder);
  const complain = (what: string) => faults.push(what);
  try {
    if (seen.some(({ what }) => what === 'runs')) await checkSoftware(home, recording, seen, complain);
    const left = await readLeft(home);
    const hasSpoken = seen.some(({ what }) => what === 'said');
    const isLeaving = seen.some(({ what }) => what === 'leaves');
    const credentials = left === undefined ? await loadCredentials(home) : undefined;
    if (left !== undefined && !isLeaving) complain('it thinks that it left');
    if (credentials === undefined) {
      if (hasSpoken && !isLeaving) complain('it has spoken, and does not know who it is');
      return faults;
    }
    const store = await openStore(join(home.state, 'journal'), realDisk, silent);
    checkNumbers(store, seen, complain);
  } catch (error) {
    complain(`it does not start: ${(error as Error).message}`);
  }
  return faults;
}

function checkNumbers(store: Store, seen: readonly Mark[], complain: (what: string) => void): void {
  const { sent, window } = readPeer(store);
  const state = readState(store);
  const memory = readMemory(store);
  for (const mark of seen) {
    if (mark.what === 'said') {
      const { sequence, type } = messageOf(mark.bytes);
      if (sequence > sent) complain(`number ${sequence} (${type}) left, and would be used again`);
    } else if (mark.what === 'heard') {
      const { sender, sequence, type } = messageOf(mark.bytes);
      if (sender !== SERVER_ID) continue; // the device's own words, that came back to it
      if (advance(window, sequence, false, sent).ok)
        complain(`${type} was acknowledged, and would be taken again`);
    } else if (mark.what === 'acted' && !(mark.token in state.open) && memory.get(mark.token) === undefined) {
      complain(`the action ${mark.token} was done, and is forgotten`);
    }
  }
}

/** There is good software, whole, and it is what the last receipt said. */
async function checkSoftware(
  home: Home,
  { artifacts }: Recording,
  seen: readonly Mark[],
  complain: (what: string) => void,
): Promise<void> {
  const error = () => {
    complain('the record of the software is damaged');
  };
  const record = openRecord(join(home.software, 'current.json'), { ...silent, error });
  const { good, former } = await record.read();
  if (good === undefined) {
    complain('there is no good software');
    return;
  }
  const slots = await openSlots(join(home.software, 'slots'));
  if (!(await slots.holds(good))) complain('the file of the good software is gone or harmed');
  const { content } = slots.of(good);
  const unpacked = await lstat(content).catch(() => undefined);
  // It is started again as it was unpacked.
  if (unpacked?.isDirectory() === true) {
    const run = await readFile(join(content, 'run'), 'utf8').catch(() => 'nothing');
    if (!run.startsWith('#!/bin/sh\n# archive\n') || !run.endsWith('x\n'))
      complain('unpacked software is not whole');
  }
  // What was proven is good, or was before something newer, whose receipt is still to come.
  const proven = lastProven(seen, artifacts);
  if (proven !== undefined && ![good, ...former].includes(proven))
    complain('what the last receipt says is active is not even known');
}

/** Digest of the last RESPONSE 10 that left. */
function lastProven(seen: readonly Mark[], artifacts: ReadonlyMap<string, Uint8Array>): string | undefined {
  const ordered = new Map<string, string>();
  let proven: string | undefined;
  for (const mark of seen) {
    if (mark.what !== 'said' && mark.what !== 'heard') continue;
    const message = messageOf(mark.bytes);
    const token = tokenKey(message.token);
    if (message.type === 'INITIATE' && artifacts.has(message.body.digest))
      ordered.set(token, message.body.digest);
    if (message.type === 'RESPONSE' && message.body.status === 0x10) proven = ordered.get(token) ?? proven;
  }
  return proven;
}

function messageOf(bytes: Uint8Array): Message {
  const decoded = decode(bytes);
  if (!decoded.ok) throw new Error(`no message: ${decoded.code}`);
  return decoded.value.message;
}

export function marksBefore(operations: readonly Operation[], end: number): Mark[] {
  return operations.slice(0, end).flatMap((operation) => (operation.do === 'mark' ? [operation.mark] : []));
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };
