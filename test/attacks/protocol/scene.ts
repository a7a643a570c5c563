/** Parties with real keys, and receivers that remember what they accepted, for attacks on messages. */
import {
  compose,
  decode,
  EMPTY_WINDOW,
  encodeText,
  identityText,
  receive,
  screen,
  SUITES,
  toHex,
  topicName,
  type AuthCode,
  type Decoded,
  type Draft,
  type Fresh,
  type Identity,
  type Peer,
  type ReplayWindow,
  type Result,
  type Role,
  type SuiteName,
  type Topic,
} from '@srup/protocol';
import { generateKeys, importSignKey, importVerifyKey, type KeySet } from '@srup/node';
import { runWithout } from '../support/mutant.ts';
import type { MutationName } from '../support/mutations.ts';

/** The device and the server of the scene. */
export const DEVICE = 0x27ab54d670b64be2n;
export const SERVER = 0xb9d077e223834cf6n;
export const ALL_SUITES = Object.keys(SUITES) as SuiteName[];

export interface Party {
  readonly id: Identity;
  readonly keys: KeySet;
}

export async function createParty(id: Identity, suite: SuiteName): Promise<Party> {
  return { id, keys: await generateKeys(suite) };
}

let serial = 0;

/** A token that no other message has. */
export function newToken(): Uint8Array {
  serial++;
  return encodeText(`token-${serial}`);
}

export function action(actionId = 1): Draft {
  return { type: 'ACTION', token: newToken(), body: { actionId } };
}

export function report(dataId = 'temperature'): Draft {
  return { type: 'DATA', token: newToken(), body: { dataId, data: encodeText('21.5') } };
}

/** The bytes of a message as its sender makes them. */
export async function send(from: Party, to: Identity, sequence: bigint, draft: Draft): Promise<Uint8Array> {
  const { bytes } = await compose(
    draft,
    sequence,
    from.id,
    { id: to },
    importSignKey(from.keys.signing.privatePem),
  );
  return bytes;
}

export function decoded(bytes: Uint8Array): Decoded {
  const result = decode(bytes);
  if (!result.ok) throw new Error(`the message is refused: ${result.code}`);
  return result.value;
}

/** What `support/judge.ts` reads: a receiver, the parties that it knows, and what arrives. */
export interface Hearing {
  readonly role: Role;
  readonly self: string;
  readonly peers: readonly { readonly id: string; readonly publicPem: string }[];
  readonly arrivals: readonly { readonly topic: string; readonly hex: string }[];
}

/** The same judgement by a receiver that lacks these checks, in a process of its own. */
export async function verdictsWithout(
  checks: readonly MutationName[],
  role: Role,
  self: Identity,
  peers: readonly Party[],
  arrivals: readonly (readonly [bytes: Uint8Array, topic: Topic])[],
): Promise<string[]> {
  const hearing: Hearing = {
    role,
    self: identityText(self),
    peers: peers.map(({ id, keys }) => ({ id: identityText(id), publicPem: keys.signing.publicPem })),
    arrivals: arrivals.map(([bytes, topic]) => ({ topic: topicName(topic), hex: toHex(bytes) })),
  };
  return runWithout(checks, './judge.ts', hearing);
}

export const deviceTopic = (device: Identity): Topic => ({ kind: 'device', device });
export const joinTopic = (server: Identity, device: Identity): Topic => ({ kind: 'join', server, device });

/** An end that stores a window with each message that it accepts (P 5.3). */
export class Receiver {
  readonly role: Role;
  readonly self: Identity;
  private readonly peers: readonly Party[];
  private readonly windows = new Map<Identity, ReplayWindow>();
  forbidden: AuthCode | undefined;
  joinToken: string | undefined;

  constructor(role: Role, self: Identity, peers: readonly Party[]) {
    this.role = role;
    this.self = self;
    this.peers = peers;
  }

  take(bytes: Uint8Array, topic: Topic): Result<Fresh> {
    const screened = screen({ bytes, topic: topicName(topic), retained: false }, this);
    if (!screened.ok) return screened;
    const result = receive(screened.value, this.peer(screened.value.message.sender));
    if (result.ok) this.windows.set(result.value.message.sender, result.value.window);
    return result;
  }

  private peer(sender: Identity): Peer | undefined {
    const party = this.peers.find(({ id }) => id === sender);
    if (party === undefined) return undefined;
    const key = importVerifyKey(party.keys.signing.publicPem);
    return {
      id: sender,
      key,
      window: this.window(sender),
      sent: 0n,
      joinToken: this.joinToken,
      forbids: () => this.forbidden,
    };
  }

  /** `accepted` or the code of the refusal. */
  verdict(bytes: Uint8Array, topic: Topic): string {
    const result = this.take(bytes, topic);
    return result.ok ? 'accepted' : result.code;
  }

  window(sender: Identity): ReplayWindow {
    return this.windows.get(sender) ?? EMPTY_WINDOW;
  }

  /** What is on the disk when the power goes. */
  save(): string {
    const rows = [...this.windows].map(([id, { highest, seen }]) => [id, highest, seen].map(String));
    return JSON.stringify(rows);
  }

  /** The same end after a reboot. */
  static restart(before: Receiver, saved: string): Receiver {
    const after = new Receiver(before.role, before.self, before.peers);
    for (const row of JSON.parse(saved) as string[][]) {
      const [id, highest, seen] = row.map(BigInt) as [bigint, bigint, bigint];
      after.windows.set(id, { highest, seen });
    }
    return after;
  }
}
