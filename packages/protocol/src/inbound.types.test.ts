/**
 * What must not compile: leaving out a step between bytes and effect. The compiler checks this file; each line below
 * "@ts-expect-error" that compiled would be an error.
 */
/* eslint-disable @typescript-eslint/no-unsafe-class-instance-assignment -- such assignments are what is tried here */
import { expect, expectTypeOf, test } from 'vitest';
import { stepDevice } from './exchange/device.ts';
import type { DeviceFacts, DeviceState, Moment } from './exchange/contract.ts';
import * as protocol from './index.ts';
import type { Authentic } from './security/authentic.ts';
import { authenticate } from './security/authentic.ts';
import { freshen, type Fresh, type ReplayWindow } from './security/replay.ts';
import type { VerifyKey } from './security/suite.ts';
import type { Decoded } from './message/envelope.ts';
import type { Message } from './message/message.ts';

/** An object with all the public members, made by hand. */
type Look<Type> = { [Name in keyof Type]: Type[Name] };

/** Never called: only its types matter. */
export function leavingOutAStep(
  bytes: Uint8Array,
  message: Message,
  decoded: Decoded,
  authentic: Authentic,
  fresh: Fresh,
  key: VerifyKey,
  window: ReplayWindow,
  state: DeviceState,
  moment: Moment,
  facts: DeviceFacts,
  looksDecoded: Look<Decoded>,
  looksAuthentic: Look<Authentic>,
  looksFresh: Look<Fresh>,
): void {
  // @ts-expect-error bytes are not decoded
  authenticate(bytes, key);
  // @ts-expect-error made by hand, not decoded
  authenticate(looksDecoded, key);
  // @ts-expect-error decoded is not authentic
  freshen(decoded, window, false);
  // @ts-expect-error made by hand, not authentic
  freshen(looksAuthentic, window, false);

  const act = (message: Fresh): unknown => stepDevice(state, { on: 'message', message }, moment, facts);
  // @ts-expect-error a plain message has no proof at all
  act(message);
  // @ts-expect-error decoded is not fresh
  act(decoded);
  // @ts-expect-error authentic is not fresh
  act(authentic);
  // @ts-expect-error made by hand, not fresh
  act(looksFresh);

  // Control: the whole way compiles.
  act(fresh);
  const proven = authenticate(decoded, key);
  if (proven.ok) freshen(proven.value, { window, sent: 0n, joining: false });
}

test('the steps make types that nothing else makes', () => {
  expectTypeOf<Decoded>().not.toExtend<Authentic>();
  expectTypeOf<Authentic>().not.toExtend<Fresh>();
  expectTypeOf<Fresh>().not.toExtend<Authentic>();
  // None of their classes can be had, so none can be made outside its step.
  const classes = Object.entries(protocol).filter(
    ([, value]) => typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class'),
  );
  expect(classes).toEqual([]);
});
