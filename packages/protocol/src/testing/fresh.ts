import { receive, screen } from '../inbound.ts';
import { compose, type Draft } from '../outbound.ts';
import { EMPTY_WINDOW } from '../trust/peer.ts';
import type { Fresh } from '../trust/replay.ts';
import { topicFromDevice } from '../topics.ts';
import { fakeKeys } from './keys.ts';

export const SOLO_DEVICE = 0x27ab_54d6_70b6_4be2n;
const SERVER = 0xb9d0_77e2_2383_4cf6n;
const KEYS = fakeKeys(1);

/** Takes a draft along the whole path, from signing to the window. There is no other way to a `Fresh` message. */
export async function freshFrom(sender: 'device' | 'server', draft: Draft, sequence = 1n): Promise<Fresh> {
  const [self, from] = sender === 'device' ? [SERVER, SOLO_DEVICE] : [SOLO_DEVICE, SERVER];
  const { bytes } = await compose(draft, sequence, from, { id: self, sealKey: KEYS.seal }, KEYS.sign);
  const topic = topicFromDevice(draft.type, SERVER, SOLO_DEVICE);
  const role = sender === 'device' ? 'server' : 'device';
  const screened = screen({ bytes, topic, retained: false }, { role, self });
  if (!screened.ok) throw new TypeError(`the message was refused: ${screened.code}`);
  const peer = { id: from, key: KEYS.verify, window: EMPTY_WINDOW, sent: 0n, forbids: () => undefined };
  const received = receive(screened.value, peer);
  if (!received.ok) throw new TypeError(`the message was refused: ${received.code}`);
  return received.value;
}
