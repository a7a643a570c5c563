// An identity that is over as the key service says (P 8.5, 10.8): who is believed, and what comes of it.
import { access } from 'node:fs/promises';
import { expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import { until } from '@srup/node/testing';
import type { TestReply } from '../../test/key-service.ts';
import type { World } from '../../test/world.ts';
import type { RunningAgent } from '../agent.ts';
import { parseConfig } from '../config/config.ts';
import { homeAt } from '../ground/home.ts';

const SOON = { brokerPatience: { leastMs: 10, mostMs: 40 } };
const REVOKED: TestReply = { status: 410, body: { error: 'gone', message: 'revoked' } };
const UNKNOWN: TestReply = { status: 404, body: { error: 'not-found', message: 'no such identity' } };

/** What the key service says of this identity. */
function says(world: World, id: string, reply: TestReply, server?: string): void {
  world.service.interfere = async (call, usual) => {
    if (call === `GET ${id}`) return reply;
    const usually = await usual();
    if (call !== 'GET status' || server === undefined) return usually;
    return { ...usually, body: { ...(usually.body as object), identity: server } };
  };
}

const idOf = (agent: RunningAgent): string => agent.status().id ?? '';
const timesAsked = (world: World, id: string): number =>
  world.service.calls.filter((call) => call === `GET ${id}`).length;

test.for([
  ['revoked', REVOKED],
  ['unknown', UNKNOWN],
] as const)(
  '%s: an agent without its broker finds out and says so; ordered to join, it becomes another device',
  async ([how, reply], { world }) => {
    const { agent, noted } = await world.join(SOON);
    const id = idOf(agent);
    says(world, id, reply);
    await world.broker.close();
    await until('it knows', () => agent.status().phase === how);
    expect(idOf(agent), 'it gives nothing up of its own accord').toBe(id);
    await access(homeAt(world.home).identity);
    await agent.join();
    await until('another id', () => ![id, ''].includes(idOf(agent)));
    expect(noted.running).toBe(true);
  },
);

test('ordered to join or to deregister, it asks at once, connected or not', async ({ world }) => {
  const { agent } = await world.join();
  const first = idOf(agent);
  says(world, first, UNKNOWN);
  await agent.join();
  await until('another id', () => ![first, ''].includes(idOf(agent)));
  const second = idOf(agent);
  says(world, second, REVOKED);
  await agent.leave('deregister');
  await until('unregistered', () => agent.status().phase === 'unregistered');
  await expect(access(homeAt(world.home).identity)).rejects.toThrow('ENOENT');
});

test.for<[what: string, { reply: TestReply; server?: string }]>([
  ['a 404 that is not in our form', { reply: { status: 404, body: '<html>nothing here</html>' } }],
  ['a refusal that says something else', { reply: { status: 403, body: { error: 'gone' } } }],
  ['the service of another server', { reply: REVOKED, server: 'b9d077e223834cf7' }],
  ['a service that is in trouble', { reply: { status: 503, body: { error: 'unavailable' } } }],
])('%s takes no identity away', async ([_what, { reply, server }], { world }) => {
  const { agent } = await world.join({}, { rejoin: 'yes' });
  const id = idOf(agent);
  says(world, id, reply, server);
  await agent.join();
  expect(world.service.calls.at(-1)).toMatch(/^GET /);
  expect(agent.status()).toMatchObject({ id, phase: 'joined' });
});

test('a service that the owner has not pinned is not asked', async ({ world }) => {
  const { agent } = await world.join();
  const id = idOf(agent);
  await agent.stop();
  says(world, id, REVOKED);
  const config = parseConfig({ url: world.service.url, type: 'demo', rejoin: 'yes' }, 'test');
  const { agent: again } = await world.start({ config, ...SOON });
  await until('connected', () => again.status().connected);
  await again.join();
  expect(timesAsked(world, id)).toBe(0);
  expect(again.status()).toMatchObject({ id, phase: 'joined' });
});

test('with rejoin it registers anew by itself; refused, it runs on, says why, and tries again', async ({
  world,
}) => {
  const kept: string[] = [];
  const keepCode = async (code: string): Promise<void> => void kept.push(code);
  const { agent, noted } = await world.join({ ...SOON, keepCode }, { rejoin: 'yes' });
  const id = idOf(agent);
  let isOpen = false;
  const codes = new Set<unknown>();
  world.service.interfere = async (call, usual) => {
    if (call === `GET ${id}`) return REVOKED;
    if (call !== 'POST register' || isOpen) return usual();
    codes.add(world.service.requests.at(-1)?.body['code']);
    return { status: 403, body: { error: 'wrong-code', message: 'a code is wanted' } };
  };
  await world.broker.close();
  await until('refused', () => agent.status().trouble !== undefined);
  expect(agent.status()).toMatchObject({
    phase: 'unregistered',
    trouble: {
      message: expect.stringContaining('a code is wanted') as string,
      hint: expect.stringContaining('--enrolment-code') as string,
    },
  });
  expect(noted.running).toBe(true);
  await agent.join('wrong');
  expect(kept, 'a loss of power would not lose it').toEqual(['wrong']);
  await until('refused again', () => agent.status().trouble !== undefined && codes.has('wrong'));
  isOpen = true;
  await until('another id', () => ![id, ''].includes(idOf(agent)));
  expect(agent.status()).not.toHaveProperty('trouble');
});
