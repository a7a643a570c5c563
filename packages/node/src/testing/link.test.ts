import { expect, test } from 'vitest';
import { testLink } from '../../test/link-contract.ts';
import { fakeLink } from './link.ts';

testLink('the fake', async (inHand) => {
  const link = fakeLink(inHand);
  const acknowledged: string[] = [];
  return {
    link,
    connect: () => {
      link.connect();
    },
    disconnect: () => {
      link.disconnect();
    },
    publish: (topic, text, retained = false) => {
      void link.deliver(topic, Buffer.from(text), { retained }).then(() => acknowledged.push(text));
    },
    acknowledged: () => acknowledged,
    close: () => link.close(),
  };
});

test('a delivery resolves on its PUBACK, after as many attempts as it takes', async () => {
  const link = fakeLink();
  let refusals = 2;
  link.onDisconnect = () => {
    queueMicrotask(() => {
      link.connect();
    });
  };
  link.onMessage = () => (refusals-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve());
  link.connect();
  await link.deliver('SRUP/1', Uint8Array.of(1));
  expect(link.drops).toEqual(['Error: no', 'Error: no']);
});

test('a publication can be stopped before the broker has it, and before its PUBACK', async () => {
  const link = fakeLink();
  link.connect();
  link.onPublish = () => Promise.reject(new Error('lost on the way'));
  await expect(link.publish('SRUP/1', Uint8Array.of(1))).rejects.toThrow('lost on the way');
  link.onPublish = () => undefined;
  link.beforePuback = () => Promise.reject(new Error('no PUBACK'));
  await expect(link.publish('SRUP/1', Uint8Array.of(2))).rejects.toThrow('no PUBACK');
  expect(link.published).toEqual([{ topic: 'SRUP/1', bytes: Uint8Array.of(2) }]);
});

test('a session that the broker lost has no filters', async () => {
  const link = fakeLink();
  link.connect();
  await link.subscribe(['SRUP/1']);
  link.disconnect();
  link.connect(false);
  expect([...link.filters]).toEqual([]);
  await link.close();
  expect(() => {
    link.connect();
  }).toThrow('closed');
});
