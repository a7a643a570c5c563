import { describe, expect, it } from 'vitest';
import { inShort, soloServer, type SoloServer } from '../../testing/index.ts';
import type { TokenKey } from '../../token.ts';
import { encodeText } from '../../wire/text.ts';
import type { ServerUpdate } from '../server-exchange.ts';
import { encodeDeferral } from './deferral.ts';

const SECOND = 1000;
const DAY = 24 * 3_600_000;
const DIGEST = 'a'.repeat(64);

function begin(server: SoloServer, activateAtOnce = false): TokenKey {
  const token = server.newToken();
  server.open({ kind: 'update', url: 'https://files.example/v2', digest: DIGEST, activateAtOnce }, token);
  return token;
}

const answer = (server: SoloServer, token: TokenKey, status: number) =>
  server.hear('RESPONSE', token, { status });
const update = (server: SoloServer, token: TokenKey) => server.exchange(token) as ServerUpdate;

async function activated(server: SoloServer): Promise<TokenKey> {
  const token = begin(server, true);
  await answer(server, token, 0x00);
  return token;
}

describe('an update at the server', () => {
  it('goes from INITIATE to a proven "active"', async () => {
    const server = soloServer();
    const token = begin(server);
    expect(update(server, token)).toMatchObject({ phase: 'initiated', attempts: 1 });
    const staged = await answer(server, token, 0x00);
    expect(staged).toMatchObject({ effects: [{ do: 'prove', what: 'staged', digest: DIGEST }] });
    expect(update(server, token).wakeAt).toBeUndefined();
    expect(inShort(server.tell(token, { on: 'activate' }))).toEqual(['send ACTIVATE']);
    const active = await answer(server, token, 0x10);
    expect(active).toMatchObject({ effects: [{ do: 'prove', what: 'active', digest: DIGEST }] });
    expect(update(server, token)).toMatchObject({ phase: 'active', status: 0x10 });
    expect(update(server, token).wakeAt).toBeUndefined();
  });

  it('activates at once when the command says so', async () => {
    const server = soloServer();
    const token = begin(server, true);
    expect(inShort(await answer(server, token, 0x00))).toEqual(['prove', 'send ACTIVATE']);
    expect(update(server, token)).toMatchObject({
      phase: 'activating',
      attempts: 1,
      activatedAt: server.moment.now,
    });
  });

  it.each([0xfc, 0xfd, 0xfe, 0xff])('fails on the answer %i to INITIATE', async (status) => {
    const server = soloServer();
    const token = begin(server);
    expect(inShort(await answer(server, token, status))).toEqual([]);
    expect(update(server, token)).toMatchObject({ phase: 'failed', status });
    expect(inShort(await answer(server, token, status))).toEqual([]);
    expect(inShort(await answer(server, token, 0x00))).toEqual(['refused FLOW_FINISHED']);
    expect(update(server, token)).toMatchObject({ phase: 'failed', status });
  });

  it('that the device deferred is activated again when an operator says so (P 10.11)', async () => {
    const server = soloServer();
    const token = await activated(server);
    const { activatedAt } = update(server, token);
    await answer(server, token, 0x1d);
    const data = encodeDeferral(token, { reason: 'busy', until: server.moment.now + DAY });
    await server.hear('DATA', token, { dataId: 'srup.defer', data });
    server.pass(SECOND);
    expect(inShort(server.tell(token, { on: 'activate' }))).toEqual(['send ACTIVATE']);
    expect(update(server, token)).toMatchObject({ phase: 'activating', activatedAt });
  });

  it('is reverted on 1F, and stays so', async () => {
    const server = soloServer();
    const token = await activated(server);
    const step = await answer(server, token, 0x1f);
    expect(step).toMatchObject({ effects: [{ do: 'prove', what: 'reverted' }] });
    expect(inShort(await answer(server, token, 0x10))).toEqual(['refused FLOW_FINISHED']);
    expect(update(server, token).phase).toBe('reverted');
  });

  it('is not disturbed by earlier answers that come late', async () => {
    const server = soloServer();
    const token = await activated(server);
    expect(inShort(await answer(server, token, 0x00))).toEqual([]);
    await answer(server, token, 0x10);
    for (const status of [0x00, 0x1d, 0x10]) expect(inShort(await answer(server, token, status))).toEqual([]);
    expect(update(server, token)).toMatchObject({ phase: 'active', status: 0x10 });
  });

  it('refuses words of other exchanges, and an answer to what was not asked yet (P 6.3)', async () => {
    const server = soloServer();
    const token = begin(server);
    for (const status of [0x10, 0x1f, 0x1d, 0x20, 0x50, 0x99]) {
      expect(inShort(await answer(server, token, status))).toEqual(['refused FLOW_STATUS']);
    }
    await answer(server, token, 0x00);
    for (const status of [0x10, 0xff, 0x20]) {
      expect(inShort(await answer(server, token, status))).toEqual(['refused FLOW_STATUS']);
    }
    server.tell(token, { on: 'activate' });
    for (const status of [0xff, 0x20, 0x70]) {
      expect(inShort(await answer(server, token, status))).toEqual(['refused FLOW_STATUS']);
    }
    expect(update(server, token).phase).toBe('activating');
  });

  it('sends INITIATE again after 60 s doubling to 1 h, under the same token, and expires after 7 days', () => {
    const server = soloServer();
    const token = begin(server);
    const waits: number[] = [];
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    for (;;) {
      const wakeAt = update(server, token).wakeAt;
      if (wakeAt === undefined) break;
      waits.push((wakeAt - server.moment.now) / SECOND);
      server.pass(wakeAt - server.moment.now);
      server.tell(token, { on: 'time' });
    }
    expect(waits.slice(0, 8)).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600]);
    expect(update(server, token).phase).toBe('expired');
    expect(server.moment.now - update(server, token).openedAt).toBeGreaterThanOrEqual(7 * DAY);
    expect(server.moment.now - update(server, token).openedAt).toBeLessThan(7 * DAY + 2 * 3600 * SECOND);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
  });

  it('asks for the activation from its own beginning for 7 days', async () => {
    const server = soloServer();
    const token = begin(server);
    await answer(server, token, 0x00);
    server.pass(6 * DAY);
    server.tell(token, { on: 'activate' });
    server.pass(2 * DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual(['send ACTIVATE']);
    server.pass(5 * DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(update(server, token).phase).toBe('expired');
  });

  it('waits staged without limit, but can not be activated after 7 days: the device would refuse (P 6.2)', async () => {
    const server = soloServer();
    const token = begin(server);
    await answer(server, token, 0x00);
    server.pass(30 * DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(inShort(server.tell(token, { on: 'activate' }))).toEqual(['refused FLOW_TOKEN_AGE']);
    expect(update(server, token).phase).toBe('staged');
  });

  it('may be cancelled until it is activated', async () => {
    const server = soloServer();
    const initiated = begin(server);
    expect(inShort(server.tell(initiated, { on: 'cancel' }))).toEqual([]);
    expect(update(server, initiated).phase).toBe('cancelled');
    expect(inShort(await answer(server, initiated, 0x00))).toEqual(['refused FLOW_FINISHED']);
    expect(inShort(server.tell(initiated, { on: 'activate' }))).toEqual(['refused FLOW_STATE']);
    const activating = await activated(server);
    expect(inShort(server.tell(activating, { on: 'cancel' }))).toEqual(['refused FLOW_STATE']);
  });

  it('is not activated before it is staged, nor twice', async () => {
    const server = soloServer();
    const token = begin(server);
    expect(inShort(server.tell(token, { on: 'activate' }))).toEqual(['refused FLOW_STATE']);
    await answer(server, token, 0x00);
    expect(inShort(await answer(server, token, 0x00))).toEqual([]);
    server.tell(token, { on: 'activate' });
    expect(inShort(server.tell(token, { on: 'activate' }))).toEqual(['refused FLOW_STATE']);
  });
});

describe('an update that expired', () => {
  it('stays expired, but shows and proves what the device says later', async () => {
    const server = soloServer();
    const token = await activated(server);
    server.pass(8 * DAY);
    server.tell(token, { on: 'time' });
    expect(update(server, token)).toMatchObject({ phase: 'expired', status: 0x00 });
    expect(inShort(await answer(server, token, 0xff))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await answer(server, token, 0x10))).toEqual(['prove']);
    expect(update(server, token)).toMatchObject({ phase: 'expired', status: 0x10 });
    expect(inShort(await answer(server, token, 0x10))).toEqual([]);
    expect(inShort(await answer(server, token, 0x1f))).toEqual(['prove']);
  });

  it('before it was activated takes no answer to ACTIVATE', async () => {
    const server = soloServer();
    const token = begin(server);
    server.pass(8 * DAY);
    server.tell(token, { on: 'time' });
    expect(inShort(await answer(server, token, 0x10))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await answer(server, token, 0xfd))).toEqual([]);
    expect(inShort(await answer(server, token, 0x00))).toEqual(['prove']);
    expect(update(server, token)).toMatchObject({ phase: 'expired', status: 0x00 });
  });
});

describe('an update of a device that never confirms (P 10.7)', () => {
  it('is unconfirmed after ACTIVATE, and waits for nothing', async () => {
    const server = soloServer({ confirms: false });
    const token = await activated(server);
    expect(update(server, token).phase).toBe('unconfirmed');
    expect(update(server, token).wakeAt).toBeUndefined();
    server.pass(8 * DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
  });

  it('is proven by a signed answer all the same', async () => {
    const server = soloServer({ confirms: false });
    const [active, deferred] = [await activated(server), await activated(server)];
    expect(inShort(await answer(server, active, 0x10))).toEqual(['prove']);
    expect(update(server, active).phase).toBe('active');
    await answer(server, deferred, 0x1d);
    expect(update(server, deferred)).toMatchObject({ phase: 'activating', confirms: true });
    server.pass(60 * SECOND);
    expect(inShort(server.tell(deferred, { on: 'time' }))).toEqual(['send ACTIVATE']);
    expect(update(server, deferred).phase).toBe('activating');
  });
});

describe('a deferral at the server (P 10.11)', () => {
  const dataId = 'srup.defer';

  it('is kept with its reason, and asked about again at its time', async () => {
    const server = soloServer();
    const token = await activated(server);
    expect(inShort(await answer(server, token, 0x1d))).toEqual([]);
    const until = server.moment.now + 3 * 3600 * SECOND;
    const data = encodeDeferral(token, { reason: 'in use', until });
    expect(inShort(await server.hear('DATA', token, { dataId, data }))).toEqual([]);
    expect(update(server, token)).toMatchObject({
      phase: 'activating',
      status: 0x1d,
      wakeAt: until,
      deferral: { reason: 'in use', until },
    });
    server.pass(until - server.moment.now);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual(['send ACTIVATE']);
  });

  it.each([
    [0, 60 * SECOND],
    [10 * DAY, DAY],
  ])('is asked about again within bounds: wanted in %i ms, asked in %i', async (wanted, asked) => {
    const server = soloServer();
    const token = await activated(server);
    const data = encodeDeferral(token, { reason: '', until: server.moment.now + wanted });
    await server.hear('DATA', token, { dataId, data });
    expect(update(server, token).wakeAt).toBe(server.moment.now + asked);
  });

  it('is refused in another form, in another phase, of another kind and for an unknown token', async () => {
    const server = soloServer();
    const token = await activated(server);
    const refusal = async (of: TokenKey, data: Uint8Array) =>
      inShort(await server.hear('DATA', of, { dataId, data }));
    expect(await refusal(token, encodeText('{}'))).toEqual(['refused FLOW_CONFLICT']);
    const staged = begin(server);
    expect(await refusal(staged, encodeDeferral(staged, { reason: '' }))).toEqual(['refused FLOW_STATE']);
    const action = server.newToken();
    server.open({ kind: 'action', actionId: 1 }, action);
    expect(await refusal(action, encodeDeferral(action, { reason: '' }))).toEqual(['refused FLOW_CONFLICT']);
    expect(await refusal('new', encodeDeferral('new', { reason: '' }))).toEqual(['refused FLOW_TOKEN']);
  });
});
