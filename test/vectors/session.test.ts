/** One recorded run of the published pySRUP: everything it sent passes our checks in the order in which it was sent. */
import { describe, expect, test } from 'vitest';
import {
  authenticate,
  decode,
  deviceTopic,
  EMPTY_WINDOW,
  encode,
  advance,
  identityText,
  isJoinRequest,
  isReceivedBy,
  joinTopic,
  layoutOf,
  parseIdentity,
  parseTopic,
  toHex,
  type Authentic,
  type Decoded,
  type ReplayWindow,
} from '@srup/protocol';
import { importVerifyKey } from '@srup/node';
import { bytesOf, openKeyOf, SESSION, type SessionEvent } from './files.ts';

const sent = SESSION.mqtt.filter(({ event }) => event === 'publish');
const servers = new Set([SESSION.identities['srv'], SESSION.identities['away']]);
const NAMES: Readonly<Record<string, string>> = { deviceSequence: 'index', reqId: 'requestId' };

function decodedOf({ hex }: SessionEvent): Decoded {
  const result = decode(bytesOf(hex));
  if (!result.ok) throw new Error(`refused: ${result.code}`);
  return result.value;
}

function authenticOf(event: SessionEvent): Authentic {
  const decoded = decodedOf(event);
  const { publicKeyPem } = SESSION.keys[identityText(decoded.message.sender)]!;
  const result = authenticate(decoded, importVerifyKey(publicKeyPem));
  if (!result.ok) throw new Error(`refused: ${result.code}`);
  return result.value;
}

/** A server's message is for the device of the topic; a device's one is for the only server it speaks to. */
function receiverOf({ topic, senderId }: SessionEvent): string {
  const device = topic.split('/').at(-1)!;
  if (servers.has(senderId)) return device;
  return (
    senderId === SESSION.identities['sd_synd'] ? SESSION.identities['away'] : SESSION.identities['srv']
  )!;
}

/** A recorded field: a number, or an object that shows it in several ways. */
function recordedValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('dec' in value) return BigInt(value.dec as string);
  return (value as { hex: string }).hex;
}

test('the run has every kind of exchange', () => {
  expect(sent.length).toBeGreaterThan(50);
  expect(new Set(sent.map(({ type }) => type)).size).toBeGreaterThan(20);
});

describe.each(sent.map((event, at) => ({ at, event, type: event.type })))(
  'message $at, $type',
  ({ event }) => {
    test('decodes to the recorded values, mirrors, and its signature holds', () => {
      expect(() => authenticOf(event)).not.toThrow();
    const { message, signature } = decodedOf(event);
      expect(message.type).toBe(event.type);
      expect(toHex(encode(message).assemble(signature))).toBe(event.hex);
      const body = message.body as Record<string, unknown>;
      const values: Record<string, unknown> = {
        ...body,
        ...message,
        senderId: message.sender,
        sequenceId: message.sequence,
      };
      const kinds = new Map(layoutOf(message.type).fields.map(({ name, kind }) => [name, kind]));
      for (const [recordedName, recorded] of Object.entries(event.fields)) {
        const name = NAMES[recordedName] ?? recordedName;
        const value = values[name];
        const terminated =
          kinds.get(name) === 'cstring' && message.terminated?.includes(name) === true ? '\0' : '';
        const shown =
          value instanceof Uint8Array
            ? toHex(value)
            : typeof value === 'string'
              ? Buffer.from(value + terminated).toString('hex')
              : value;
        expect([name, shown]).toEqual([name, recordedValue(recorded)]);
      }
    });

    test('came on the topic of its kind, from a role that may send it (P 3.3, 7.2)', () => {
      const { type } = decodedOf(event).message;
      const fromServer = servers.has(event.senderId);
      const device = parseIdentity(fromServer ? receiverOf(event) : event.senderId)!;
      const server = parseIdentity(fromServer ? event.senderId : receiverOf(event))!;
      expect(event.topic).toBe(isJoinRequest(type) ? joinTopic(server, device) : deviceTopic(device));
      expect(parseTopic(event.topic)).toBeDefined();
      expect(isReceivedBy(type, fromServer ? 'device' : 'server')).toBe(true);
    });
  },
);

const sealed = sent.filter(({ decrypted }) => decrypted !== undefined);

test.each(sealed)('the sealed field of $type opens to the recorded nonce', async (event) => {
  const { message, header } = decodedOf(event);
  const field = layoutOf(message.type).fields.find(({ kind }) => kind === 'sealed')!.name;
  const blob = (message.body as Record<string, unknown>)[field] as Uint8Array;
  const receiver = receiverOf(event);
  const opened = await openKeyOf(SESSION.keys[receiver]!).open(blob, {
    recipient: parseIdentity(receiver)!,
    header,
  });
  expect(Buffer.from(opened!).toString()).toBe(event.decrypted!.text);
});

test('every number that was genuinely sent is accepted once, in order (P 5.2)', () => {
  const windows = new Map<string, ReplayWindow>();
  for (const event of sent) {
    const authentic = authenticOf(event);
    const pair = `${event.senderId} to ${receiverOf(event)}`;
    const fresh = advance(windows.get(pair) ?? EMPTY_WINDOW, authentic.message.sequence, false, 0n);
    if (!fresh.ok) throw new Error(`${event.type} ${event.sequenceId} of ${pair}: ${fresh.code}`);
    windows.set(pair, fresh.value);
    expect(advance(fresh.value, authentic.message.sequence, false, 0n)).toMatchObject({ ok: false, code: 'REPLAY_SEEN' });
  }
  expect(windows.size).toBeGreaterThan(8);
});
