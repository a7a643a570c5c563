/** Reads the evidence afterwards, with nothing but public keys, and compares it with what devices really did. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importVerifyKey } from '@srup/node';
import { authenticate, decode, fromHex, tokenKey, type Message, type VerifyKey } from '@srup/protocol';
import type { ExchangeView, MessageView } from '@srup/server';
import type { Api } from './api.ts';
import type { VictimDevice } from './fleet.ts';

/**
 * What must never be.
 * - `lost`: an order with a receipt that the server does not know any more; an action told as done that was not done;
 *   an end without the device's signed word for it; evidence that does not verify.
 * - `doubled`: an action or data that was done or handed over twice; a number that stands for two messages; two
 *   programs at once.
 * - `bricked`: a device that in the end does not join, act and update as it should, or an agent that ended by itself.
 * - `unknown`: an order that did not end, or ended without its outcome being known; another program running than the
 *   server shows.
 */
export const FINDINGS = ['lost', 'doubled', 'bricked', 'unknown'] as const;

export interface Finding {
  readonly kind: (typeof FINDINGS)[number];
  readonly device: string;
  readonly what: string;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly commands: number;
  /** Signed messages of both sides, each checked. */
  readonly verified: number;
  /** How much of the data that was sent arrived; SRUP promises at most once (P 10.6). */
  readonly handedOver: number;
  /** How the orders ended: "action done" and so on. */
  readonly phases: Readonly<Record<string, number>>;
}

const ORDERS = new Set(['update', 'action', 'data']);
/** Ends after which the outcome is unknown. */
const UNKNOWN_ENDS = new Set(['expired', 'unconfirmed', 'initiated', 'activating', 'staged']);

export async function auditDevice(
  api: Api,
  device: VictimDevice,
  promised: ReadonlySet<string>,
): Promise<Verdict> {
  const findings: Finding[] = [];
  const find = (kind: Finding['kind'], what: string) => findings.push({ kind, device: device.id, what });
  const messages = await api.rows<MessageView>(`/devices/${device.id}/messages`);
  const answers = await readEvidence(device, messages, find);
  const exchanges = await api.rows<ExchangeView>(`/exchanges?device=${device.id}`);
  const effects = countEach(await device.effects());

  const known = new Set<string>(exchanges.map(({ exchange }) => exchange.token));
  for (const token of promised)
    if (!known.has(token)) find('lost', `the order ${token} is not known any more`);
  const phases: Record<string, number> = {};
  let handedOver = 0;
  const orders = exchanges.filter(({ exchange }) => ORDERS.has(exchange.kind));
  for (const { exchange, isFinal } of orders) {
    const { kind, phase, token } = exchange;
    const name = `${kind} ${phase}`;
    phases[name] = (phases[name] ?? 0) + 1;
    if (!isFinal || UNKNOWN_ENDS.has(phase)) find('unknown', `${name}: ${token}`);
    const status = 'status' in exchange ? exchange.status : undefined;
    if (status !== undefined && answers.get(token)?.has(status) !== true)
      find('lost', `${name} ${token}: no signed RESPONSE of the device says so`);
    const times = effects.get(`${kind === 'data' ? 'deliver' : 'act'} ${token}`) ?? 0;
    if (times > 1) find('doubled', `${name} ${token}: ${times} times`);
    if (name === 'action done' && times !== 1) find('lost', `${name} ${token}, but it was not done`);
    if (name === 'action unknown' && times !== 0) find('doubled', `${name} ${token}, but it was done`);
    if (kind === 'data') handedOver += times;
  }
  return { findings, commands: orders.length, verified: messages.length, handedOver, phases };
}

/** Token to the statuses that the device has signed for it. */
async function readEvidence(
  device: VictimDevice,
  messages: readonly MessageView[],
  find: (kind: Finding['kind'], what: string) => void,
): Promise<Map<string, Set<number>>> {
  const keyIn = async (name: string) =>
    importVerifyKey(await readFile(join(device.home, 'keys', name), 'utf8'));
  const keys = { in: await keyIn('signing.pub.pem'), out: await keyIn('server.pub.pem') };
  const numbers = new Map<string, string>();
  const answers = new Map<string, Set<number>>();
  for (const { direction, hex, sequence, id } of messages) {
    const message = verified(hex, keys[direction]);
    if (message?.sequence !== BigInt(sequence)) {
      find('lost', `message ${id} (${direction}) does not verify`);
      continue;
    }
    const number = `${direction} ${sequence}`;
    if ((numbers.get(number) ?? hex) !== hex)
      find('doubled', `number ${sequence} (${direction}) stands for two messages`);
    numbers.set(number, hex);
    if (direction !== 'in' || message.type !== 'RESPONSE') continue;
    const token = tokenKey(message.token);
    answers.set(token, (answers.get(token) ?? new Set()).add(message.body.status));
  }
  return answers;
}

function verified(hex: string, key: VerifyKey): Message | undefined {
  const decoded = decode(fromHex(hex) ?? new Uint8Array());
  if (!decoded.ok) return undefined;
  const authentic = authenticate(decoded.value, key);
  return authentic.ok ? authentic.value.message : undefined;
}

function countEach(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
