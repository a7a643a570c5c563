import { describe, expect, test } from 'vitest';
import {
  isDormant,
  isJoinRequest,
  isMessageType,
  isReceivedBy,
  layoutOf,
  layoutOfCode,
  LAYOUTS,
  type MessageType,
} from './layouts.ts';
import { STATUS, STATUS_MEANING, statusName } from './status.ts';

/** The table of P 3 once more, in its own words. */
const TO_DEVICE =
  'INITIATE ACTIVATE ACTION ID_REQUEST JOIN_CMD HM_JOIN_RESP OBS_JOIN_RESP OBSERVE_REQ TERMINATE_CMD DEREGISTER_CMD';
const TO_SERVER = 'JOIN_REQ HM_JOIN_REQ OBS_JOIN_REQ RESIGN_REQUEST DEREGISTER_REQ SYNDICATION_REQUEST';
const TO_BOTH = 'RESPONSE DATA';
/** A bridge is a device that passes these on: both kinds of receivers see them (P 13). */
const BRIDGED =
  'SYNDICATED_ACTION SYNDICATED_DATA SYNDICATED_ID_REQUEST SYNDICATED_DEV_COUNT SYNDICATED_DEV_LIST SYNDICATED_C2_REQ SYNDICATION_END SYNDICATION_TERMINATE';
const DORMANT = 'GENERIC GROUP_ADD GROUP_DELETE GROUP_DESTROY';

const receivers = (type: MessageType) =>
  (['device', 'server'] as const).filter((role) => isReceivedBy(type, role)).join();

test.each([
  [`${TO_DEVICE} SYNDICATION_INIT`, 'device', false],
  [TO_SERVER, 'server', false],
  [`${TO_BOTH} ${BRIDGED}`, 'device,server', false],
  [DORMANT, '', true],
])('%s: received by %j (P 3, 3.1, 3.3)', (names, roles, dormant) => {
  for (const name of names.split(' ')) {
    if (!isMessageType(name)) throw new Error(`${name} is not a type`);
    expect([name, receivers(name), isDormant(name)]).toEqual([name, roles, dormant]);
  }
});

test('every type is in one of those lists', () => {
  const all = [TO_DEVICE, TO_SERVER, TO_BOTH, BRIDGED, DORMANT, 'SYNDICATION_INIT'].join(' ').split(' ');
  expect(new Set(all)).toEqual(new Set(LAYOUTS.map(({ type }) => type)));
  expect(all).toHaveLength(LAYOUTS.length);
});

test('types and codes name each other, and nothing else does', () => {
  for (const layout of LAYOUTS) {
    expect(layoutOfCode(layout.code)).toBe(layout);
    expect(layoutOf(layout.type)).toBe(layout);
  }
  const known = Array.from({ length: 256 }, (_, code) => layoutOfCode(code)).filter(
    (row) => row !== undefined,
  );
  expect(known).toHaveLength(LAYOUTS.length);
  for (const name of ['', 'initiate', 'NOTHING', 'constructor', '__proto__'])
    expect(isMessageType(name)).toBe(false);
});

test('three types ask to join (P 7.2)', () => {
  const asking = LAYOUTS.map(({ type }) => type).filter(isJoinRequest);
  expect(asking).toEqual(['JOIN_REQ', 'HM_JOIN_REQ', 'OBS_JOIN_REQ']);
});

describe('status bytes (P 3)', () => {
  test('names and bytes name each other', () => {
    for (const [name, code] of Object.entries(STATUS)) expect(statusName(code)).toBe(name);
    expect(new Set(Object.values(STATUS)).size).toBe(Object.keys(STATUS).length);
    expect(statusName(0x99)).toBeUndefined();
  });

  test('each has a meaning for people', () => {
    expect(Object.keys(STATUS_MEANING)).toEqual(Object.keys(STATUS));
    for (const meaning of Object.values(STATUS_MEANING)) expect(meaning).toMatch(/^[a-z].*[^.]$/);
  });
});
