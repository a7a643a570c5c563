/** What pySRUP's devices and servers have in common: one counter a pair, a store of keys, and who is believed. */
import { isSignedBy, readNote, uuid4, writeNote, type Body, type ReceivedNote } from './wire.ts';

export interface PemPair {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

/** A connection to a broker: QoS 1, nothing retained, a clean session. */
export interface Link {
  publish(topic: string, bytes: Buffer): void;
  subscribe(filter: string): void;
  unsubscribe(filter: string): void;
  onMessage: (topic: string, bytes: Buffer) => void;
  close(): Promise<void>;
}

/** Opens the connection of a client that calls itself `SRUP Client: <id>`, and subscribes at each connect. */
export type OpenLink = (clientId: string, filter: string) => Promise<Link>;

export interface Self {
  /** Hex text without leading zeros. */
  readonly id: string;
  readonly keys: PemPair;
  /** Makes its tokens; UUIDs of version 4 by default. */
  readonly newToken?: () => string;
}

export interface Party {
  /** One number a pair for both directions: last sent or received, whichever was later. By hex id. */
  readonly counters: Map<string, bigint>;
  /** PEM by hex id. */
  readonly keystore: Map<string, string>;
  /** What was thrown away: numbers that are not higher than the counter, unknown senders, bad signatures. */
  readonly dropped: { readonly type: string; readonly why: 'sequence' | 'stranger' | 'signature' }[];
  say(type: string, target: string, topic: string, body?: Body, token?: string): string;
  /** Undefined for what is not believed. `findKey`: of a sender that is not in the store. */
  believe(
    note: ReceivedNote,
    findKey?: (id: string) => Promise<string | undefined>,
  ): Promise<string | undefined>;
}

export function makeParty({ id, keys, newToken = uuid4 }: Self, publish: Link['publish']): Party {
  const counters: Party['counters'] = new Map();
  const keystore: Party['keystore'] = new Map();
  const dropped: Party['dropped'] = [];

  function say(type: string, target: string, topic: string, body: Body = {}, token = newToken()): string {
    const sequence = (counters.get(target) ?? 0n) + 1n;
    counters.set(target, sequence);
    publish(topic, writeNote({ type, sequence, sender: BigInt(`0x${id}`), token, body }, keys.privateKeyPem));
    return token;
  }

  /** The counter moves first, and only then the signature is looked at: a forged number poisons it. */
  async function believe(note: ReceivedNote, findKey?: (id: string) => Promise<string | undefined>) {
    const { type, sequence } = note;
    const sender = note.sender.toString(16);
    if (sequence <= (counters.get(sender) ?? 0n)) {
      dropped.push({ type, why: 'sequence' });
      return undefined;
    }
    counters.set(sender, sequence);
    const key = keystore.get(sender) ?? (await findKey?.(sender));
    if (key === undefined) {
      dropped.push({ type, why: 'stranger' });
      return undefined;
    }
    keystore.set(sender, key);
    if (isSignedBy(note, key)) return sender;
    dropped.push({ type, why: 'signature' });
    return undefined;
  }

  return { counters, keystore, dropped, say, believe };
}

/** Takes messages one after the other, as pySRUP's one network thread does; its own and unreadable ones are ignored. */
export function inOrder(
  id: string,
  take: (topic: string, note: ReceivedNote) => Promise<void>,
): { readonly onMessage: Link['onMessage']; readonly idle: () => Promise<void> } {
  const self = BigInt(`0x${id}`);
  let last: Promise<void> = Promise.resolve();
  return {
    onMessage: (topic, bytes) => {
      last = last.then(async () => {
        let note: ReceivedNote;
        try {
          note = readNote(bytes);
        } catch {
          return; // "did not deserialize"
        }
        if (note.sender !== self) await take(topic, note);
      });
    },
    idle: () => last,
  };
}
