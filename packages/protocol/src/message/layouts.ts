/**
 * The messages of edition 5 as data (P 3.2). The types, the codec, the table in docs/profile.md, the generators of the
 * tests and the inspector all come from here. Nothing else knows the fields of a message.
 */

/**
 * Kinds of body fields.
 * `id` is a 64-bit identity, `text` UTF-8 without any NUL, `cstring` UTF-8 that pySRUP ends with one NUL (P 2.5),
 * `bytes` raw, `sealed` a ciphertext (P 4.3, 4.4), `zeros` two reserved bytes that are signed and must be zero.
 */
export type FieldKind = 'u8' | 'u32' | 'id' | 'text' | 'cstring' | 'bytes' | 'sealed' | 'zeros';

/** S server, D device, O observer, B bridge, H home server, A away server (P 3). */
export type Hop = 'S>D' | 'D>S' | 'S>O' | 'O>S' | 'H>B' | 'B>A' | 'A>B' | 'B>H';

interface Layout {
  readonly code: number;
  /** Who sends it to whom. Empty: dormant, or never sent (P 3.1). */
  readonly route: readonly Hop[];
  /** Fields in the order of the wire. */
  readonly body: Readonly<Record<string, FieldKind>>;
  readonly clause: string;
}

const HOME_TO_AWAY = ['H>B', 'B>A'] as const;
const AWAY_TO_HOME = ['A>B', 'B>H'] as const;

// One row for each type.
// prettier-ignore
export const MESSAGES = {
  GENERIC: { code: 0x00, route: [], body: {}, clause: 'P 3' },
  INITIATE: { code: 0x01, route: ['S>D'], body: { url: 'cstring', digest: 'cstring' }, clause: 'P 10.1' },
  RESPONSE: { code: 0x02, route: ['S>D', 'D>S', 'O>S', ...HOME_TO_AWAY, ...AWAY_TO_HOME], body: { status: 'u8' }, clause: 'P 3' },
  ACTIVATE: { code: 0x03, route: ['S>D'], body: {}, clause: 'P 10.1' },
  ACTION: { code: 0x04, route: ['S>D'], body: { actionId: 'u8' }, clause: 'P 10.5' },
  DATA: { code: 0x05, route: ['S>D', 'D>S'], body: { dataId: 'text', data: 'bytes' }, clause: 'P 10.6' },
  ID_REQUEST: { code: 0x06, route: ['S>D'], body: {}, clause: 'P 10.7' },
  GROUP_ADD: { code: 0x07, route: [], body: { deviceId: 'id', groupId: 'text' }, clause: 'P 3.1' },
  GROUP_DELETE: { code: 0x08, route: [], body: { deviceId: 'id', groupId: 'text' }, clause: 'P 3.1' },
  JOIN_REQ: { code: 0x09, route: ['D>S'], body: {}, clause: 'P 9.1' },
  JOIN_CMD: { code: 0x0a, route: ['S>D'], body: { deviceId: 'id' }, clause: 'P 9.7' },
  HM_JOIN_REQ: { code: 0x0b, route: ['D>S'], body: {}, clause: 'P 9.2' },
  HM_JOIN_RESP: { code: 0x0c, route: ['S>D'], body: { sealedNonce: 'sealed' }, clause: 'P 9.2' },
  OBS_JOIN_REQ: { code: 0x0d, route: ['D>S'], body: { observerId: 'id' }, clause: 'P 9.3' },
  OBS_JOIN_RESP: { code: 0x0e, route: ['S>D'], body: { sealedNonce: 'sealed' }, clause: 'P 9.3' },
  OBSERVE_REQ: { code: 0x0f, route: ['S>O'], body: { joiningDeviceId: 'id', sealedNonce: 'sealed' }, clause: 'P 9.3' },
  RESIGN_REQUEST: { code: 0x10, route: ['D>S'], body: {}, clause: 'P 10.8' },
  TERMINATE_CMD: { code: 0x11, route: ['S>D'], body: {}, clause: 'P 10.8' },
  DEREGISTER_REQ: { code: 0x12, route: ['D>S'], body: {}, clause: 'P 10.8' },
  DEREGISTER_CMD: { code: 0x13, route: ['S>D'], body: {}, clause: 'P 10.8' },
  GROUP_DESTROY: { code: 0x14, route: [], body: { groupId: 'text' }, clause: 'P 3.1' },
  SYNDICATION_INIT: { code: 0x21, route: ['H>B'], body: { url: 'cstring', sealedIdValue: 'sealed' }, clause: 'P 13.1' },
  SYNDICATED_ACTION: { code: 0x24, route: HOME_TO_AWAY, body: { actionId: 'u8', targetId: 'id' }, clause: 'P 13.2' },
  SYNDICATED_DATA: { code: 0x25, route: AWAY_TO_HOME, body: { dataId: 'text', data: 'bytes', sourceId: 'id' }, clause: 'P 13.2' },
  SYNDICATED_ID_REQUEST: { code: 0x26, route: HOME_TO_AWAY, body: { targetId: 'id' }, clause: 'P 13.2' },
  SYNDICATED_DEV_COUNT: { code: 0x27, route: AWAY_TO_HOME, body: { count: 'u32' }, clause: 'P 13.1' },
  SYNDICATED_DEV_LIST: { code: 0x28, route: AWAY_TO_HOME, body: { index: 'u32', deviceId: 'id' }, clause: 'P 13.1' },
  SYNDICATION_REQUEST: { code: 0x29, route: ['B>A'], body: { sealedIdValue: 'sealed' }, clause: 'P 13.1' },
  SYNDICATED_C2_REQ: { code: 0x2c, route: HOME_TO_AWAY, body: { data: 'bytes', requestId: 'u8', reserved: 'zeros' }, clause: 'P 13.2' },
  SYNDICATION_END: { code: 0x2e, route: HOME_TO_AWAY, body: {}, clause: 'P 13.3' },
  SYNDICATION_TERMINATE: { code: 0x2f, route: AWAY_TO_HOME, body: {}, clause: 'P 13.3' },
} as const satisfies Readonly<Record<string, Layout>>;

export type MessageType = keyof typeof MESSAGES;

interface FieldValues {
  u8: number;
  u32: number;
  id: bigint;
  text: string;
  cstring: string;
  bytes: Uint8Array;
  sealed: Uint8Array;
}

/** The body of a type, as its row says. Reserved bytes have no value. */
export type BodyOf<T extends MessageType> = {
  readonly [
    F in keyof (typeof MESSAGES)[T]['body'] as (typeof MESSAGES)[T]['body'][F] extends 'zeros' ? never : F
  ]: (typeof MESSAGES)[T]['body'][F] extends keyof FieldValues
    ? FieldValues[(typeof MESSAGES)[T]['body'][F]]
    : never;
};

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
}

export interface MessageLayout extends Omit<Layout, 'body'> {
  readonly type: MessageType;
  readonly fields: readonly Field[];
}

export const LAYOUTS: readonly MessageLayout[] = (Object.keys(MESSAGES) as MessageType[]).map((type) => {
  const { code, route, body, clause }: Layout = MESSAGES[type];
  const fields = Object.entries(body).map(([name, kind]) => ({ name, kind }));
  return { type, code, route, clause, fields };
});

const BY_CODE: readonly (MessageLayout | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  LAYOUTS.find((layout) => layout.code === code),
);
const BY_TYPE: ReadonlyMap<string, MessageLayout> = new Map(LAYOUTS.map((layout) => [layout.type, layout]));

/** The row of a type byte; undefined for a byte that names no message. */
export function layoutOfCode(code: number): MessageLayout | undefined {
  return BY_CODE[code];
}

/** The row of a type. */
export function layoutOf(type: MessageType): MessageLayout {
  return BY_TYPE.get(type) as MessageLayout;
}

/** Tells whether a text names a type. */
export function isMessageType(name: string): name is MessageType {
  return BY_TYPE.has(name);
}

export type Role = 'server' | 'device';

/**
 * Tells whether a message of this type can reach this role (P 3.3). Observers and bridges are devices.
 *
 * @example
 * isReceivedBy('ACTION', 'device'); // true
 * isReceivedBy('ACTION', 'server'); // false
 */
export function isReceivedBy(type: MessageType, role: Role): boolean {
  const ends = role === 'server' ? 'SHA' : 'DOB';
  return layoutOf(type).route.some((hop) => ends.includes(hop.slice(-1)));
}

/** Tells whether nobody sends this type: dormant types and GENERIC (P 3.1). */
export function isDormant(type: MessageType): boolean {
  return layoutOf(type).route.length === 0;
}

/** Tells whether a type asks to join. Such messages use the server's topic (P 7.2). */
export function isJoinRequest(type: MessageType): boolean {
  return type === 'JOIN_REQ' || type === 'HM_JOIN_REQ' || type === 'OBS_JOIN_REQ';
}

/** Tells whether a type can answer a join request. */
export function isJoinAnswer(type: MessageType): boolean {
  return type === 'RESPONSE' || type === 'HM_JOIN_RESP' || type === 'OBS_JOIN_RESP';
}
