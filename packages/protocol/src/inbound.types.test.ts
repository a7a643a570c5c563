/**
 * What must not compile: leaving out a step between bytes and effect. The compiler checks this file; each line below
 * "@ts-expect-error" that compiled would be an error.
 */
/* eslint-disable @typescript-eslint/no-unsafe-class-instance-assignment -- such assignments are what is tried here */
import { expect, expectTypeOf, test } from 'vitest';
import { stepDevice } from './exchange/device.ts';
import type { DeviceFacts } from './exchange/device-step.ts';
import type { DeviceMemory, DeviceState } from './exchange/device-state.ts';
import type { Moment } from './exchange/step.ts';
import * as protocol from './index.ts';
import { receive } from './inbound.ts';
import { admit, type Admitted } from './trust/admit.ts';
import type { Peer, Receiver } from './trust/peer.ts';
import { authenticate, authorise, type Authentic, type Authorised } from './trust/authentic.ts';
import { freshen, type Fresh } from './trust/replay.ts';
import { screenDecoded, type Screened } from './trust/screen.ts';
import type { VerifyKey } from './trust/suite.ts';
import type { Decoded } from './message/envelope.ts';
import type { Message } from './message/message.ts';
import type { Topic } from './topics.ts';

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
  admitted: Admitted,
  topic: Topic,
  receiver: Receiver,
  peer: Peer,
  screened: Screened,
  state: DeviceState,
  memory: DeviceMemory,
  moment: Moment,
  facts: DeviceFacts,
  looksDecoded: Look<Decoded>,
  looksScreened: Look<Screened>,
  looksAdmitted: Look<Admitted>,
  looksAuthorised: Look<Authorised>,
  looksFresh: Look<Fresh>,
): void {
  const act = (message: Fresh): unknown =>
    stepDevice(state, memory, { on: 'message', message }, moment, facts);
  // @ts-expect-error bytes are not decoded
  authenticate(bytes, key);
  // @ts-expect-error made by hand, not decoded
  authenticate(looksDecoded, key);
  // @ts-expect-error bytes are not screened
  receive(bytes, peer);
  // @ts-expect-error decoded is not screened: it may be our own, or of a type that never comes to us
  receive(decoded, peer);
  // @ts-expect-error made by hand, not screened
  receive(looksScreened, peer);
  // @ts-expect-error decoded is not screened
  admit(decoded, peer);
  // @ts-expect-error bytes are not decoded
  screenDecoded(bytes, topic, receiver);
  // @ts-expect-error screened is not admitted: sender and topic were not looked at
  authorise(screened);
  // @ts-expect-error screened is not fresh
  act(screened);
  // @ts-expect-error decoded is not admitted: direction, sender and topic were not looked at
  authorise(decoded);
  // @ts-expect-error made by hand, not admitted
  authorise(looksAdmitted);
  // @ts-expect-error decoded is not authorised
  freshen(decoded);
  // @ts-expect-error a signature that holds does not make it authorised
  freshen(authentic);
  // @ts-expect-error admitted is not authorised: nothing was verified
  freshen(admitted);
  // @ts-expect-error made by hand, not authorised
  freshen(looksAuthorised);

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
  authenticate(decoded, key);
  receive(screened, peer);
  const worth = screenDecoded(decoded, topic, receiver);
  const entered = worth.ok && admit(worth.value, peer);
  const proven = entered !== false && entered.ok && authorise(entered.value);
  if (proven !== false && proven.ok) freshen(proven.value);
}

test('the steps make types that nothing else makes', () => {
  expectTypeOf<Decoded>().not.toExtend<Authentic>();
  expectTypeOf<Decoded>().not.toExtend<Admitted>();
  expectTypeOf<Decoded>().not.toExtend<Screened>();
  expectTypeOf<Screened>().not.toExtend<Admitted>();
  expectTypeOf<Admitted>().not.toExtend<Authorised>();
  expectTypeOf<Authorised>().not.toExtend<Fresh>();
  expectTypeOf<Authentic>().not.toExtend<Authorised>();
  expectTypeOf<Fresh>().not.toExtend<Authentic>();
  // None of their classes can be had, so none can be made outside its step.
  const classes = Object.entries(protocol).filter(
    ([, value]) => typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class'),
  );
  expect(classes).toEqual([]);
});
