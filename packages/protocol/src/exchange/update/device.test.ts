import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, type SoloDevice } from '../../testing/index.ts';
import type { TokenKey } from '../../token.ts';
import { nextWake } from '../device.ts';
import { MAX_OPEN } from '../memory.ts';
import { decodeDeferral } from './deferral.ts';

const DAY = 24 * 3_600_000;
const URL = 'https://files.example/v2';
const DIGEST = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

function initiate(device: SoloDevice, token: TokenKey, url = URL, digest = DIGEST) {
  return device.hear('INITIATE', token, { url, digest });
}

async function stage(device: SoloDevice, token: TokenKey, digest = DIGEST): Promise<void> {
  await initiate(device, token, URL, digest);
  device.tell({ on: 'fetched', token, outcome: 'ok' });
}

async function startActivation(device: SoloDevice, token: TokenKey): Promise<void> {
  await stage(device, token);
  await device.hear('ACTIVATE', token, {});
}

describe('INITIATE at the device', () => {
  it('fetches, stages and answers 00', async () => {
    const device = soloDevice();
    const token = device.newToken();
    const step = await initiate(device, token);
    expect(step.effects).toEqual([{ do: 'fetch', token, url: URL, digest: DIGEST }]);
    expect(inShort(device.tell({ on: 'fetched', token, outcome: 'ok' }))).toEqual(['send RESPONSE 00']);
    expect(device.state.open[token]).toMatchObject({ phase: 'staged' });
  });

  it.each([
    ['http-error', 'fc'],
    ['no-server', 'fd'],
    ['no-file', 'fe'],
    ['bad-digest', 'ff'],
  ] as const)('answers a fetch that ended as %s with %s, once and again', async (outcome, status) => {
    const device = soloDevice();
    const token = device.newToken();
    await initiate(device, token);
    expect(inShort(device.tell({ on: 'fetched', token, outcome }))).toEqual([`send RESPONSE ${status}`]);
    expect(device.state.finished[token]).toMatchObject({ result: 'failed', content: DIGEST });
    expect(inShort(await initiate(device, token))).toEqual([`send RESPONSE ${status}`]);
    expect(inShort(device.tell({ on: 'fetched', token, outcome: 'ok' }))).toEqual([]);
  });

  it('says the same again in every phase, and fetches once (P 5.4)', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await initiate(device, token);
    expect(inShort(await initiate(device, token))).toEqual([]);
    device.tell({ on: 'fetched', token, outcome: 'ok' });
    expect(inShort(await initiate(device, token))).toEqual(['send RESPONSE 00']);
    await device.hear('ACTIVATE', token, {});
    expect(inShort(await initiate(device, token))).toEqual(['send RESPONSE 00']);
    device.tell({ on: 'installed', token, outcome: 'reverted' });
    expect(inShort(await initiate(device, token))).toEqual(['send RESPONSE 00']);
  });

  it('may be repeated with another URL of the same file', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await stage(device, token);
    expect(inShort(await initiate(device, token, 'https://mirror.example/v2'))).toEqual(['send RESPONSE 00']);
  });

  it('is a conflict with another digest under the same token, while open and after', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await initiate(device, token);
    const before = device.state;
    expect(inShort(await initiate(device, token, URL, OTHER))).toEqual(['refused FLOW_CONFLICT']);
    expect(device.state).toEqual(before);
    device.tell({ on: 'fetched', token, outcome: 'no-file' });
    expect(inShort(await initiate(device, token, URL, OTHER))).toEqual(['refused FLOW_CONFLICT']);
  });

  it('is a conflict under the token of another kind', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await device.hear('ACTION', token, { actionId: 1 });
    expect(inShort(await initiate(device, token))).toEqual(['refused FLOW_CONFLICT']);
    device.tell({ on: 'acted', token, outcome: 'done' });
    expect(inShort(await initiate(device, token))).toEqual(['refused FLOW_CONFLICT']);
  });

  it.each(['A'.repeat(64), 'a'.repeat(63), 'a'.repeat(65), '', `${'a'.repeat(63)}g`, 'x'.repeat(60_000)])(
    'is answered FF for a digest that is not SHA-256 in hex (P 2.6): %.70s',
    async (digest) => {
      const device = soloDevice();
      const token = device.newToken();
      const expected = ['send RESPONSE ff', 'refused FLOW_DIGEST'];
      expect(inShort(await initiate(device, token, URL, digest))).toEqual(expected);
      expect(inShort(await initiate(device, token, URL, digest))).toEqual(['send RESPONSE ff']);
      expect(inShort(await initiate(device, token))).toEqual(['refused FLOW_CONFLICT']);
      expect(JSON.stringify(device.state).length).toBeLessThan(1000);
    },
  );

  it('is answered FE for a URL that is not allowed (P 10.2)', async () => {
    const device = soloDevice({ hosts: ['files.example'] });
    const expected = ['send RESPONSE fe', 'refused FLOW_URL'];
    expect(inShort(await initiate(device, device.newToken(), 'http://files.example/x'))).toEqual(expected);
    expect(inShort(await initiate(device, device.newToken(), 'https://evil.example/x'))).toEqual(expected);
    expect(inShort(await initiate(device, device.newToken()))).toEqual(['fetch']);
  });

  it('is answered FE when its token is older than 7 days, and stays refused (P 6.2)', async () => {
    const device = soloDevice();
    const old = device.newToken(7 * DAY + 1);
    expect(inShort(await initiate(device, old))).toEqual(['send RESPONSE fe', 'refused FLOW_TOKEN_AGE']);
    expect(inShort(await initiate(device, device.newToken(7 * DAY)))).toEqual(['fetch']);
    device.moment = { ...device.moment, trusted: false };
    expect(inShort(await initiate(device, old))).toEqual(['send RESPONSE fe']);
    expect(inShort(await initiate(device, device.newToken(8 * DAY)))).toEqual(['fetch']);
    expect(inShort(await initiate(device, 'a token of another make'))).toEqual(['fetch']);
  });

  it('finds room for this many, then is answered FE, and not obeyed later', async () => {
    const device = soloDevice();
    const tokens = Array.from({ length: MAX_OPEN.update }, () => device.newToken());
    for (const token of tokens) expect(inShort(await initiate(device, token))).toEqual(['fetch']);
    const late = device.newToken();
    expect(inShort(await initiate(device, late))).toEqual(['send RESPONSE fe', 'refused FLOW_LIMIT']);
    expect(Object.keys(device.state.open)).toHaveLength(MAX_OPEN.update);
    device.tell({ on: 'fetched', token: tokens[0]!, outcome: 'no-file' });
    expect(inShort(await initiate(device, late))).toEqual(['send RESPONSE fe']);
    expect(inShort(await initiate(device, device.newToken()))).toEqual(['fetch']);
  });

  it('takes the place of the oldest update that was staged and left behind', async () => {
    const device = soloDevice();
    const tokens = Array.from({ length: MAX_OPEN.update }, () => device.newToken());
    for (const token of tokens) {
      await stage(device, token);
      device.pass(1000);
    }
    expect(inShort(await initiate(device, device.newToken()))).toEqual(['fetch']);
    expect(device.state.finished[tokens[0]!]).toMatchObject({ result: 'superseded' });
    expect(inShort(await device.hear('ACTIVATE', tokens[0]!, {}))).toEqual(['send RESPONSE 1f']);
    expect(inShort(await device.hear('ACTIVATE', tokens[1]!, {}))).toEqual(['install']);
  });
});

describe('ACTIVATE at the device', () => {
  it('installs what is staged, once, and answers 10 however often it comes (P 10.3)', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await stage(device, token);
    const step = await device.hear('ACTIVATE', token, {});
    expect(step.effects).toEqual([{ do: 'install', token, digest: DIGEST }]);
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual([]);
    expect(inShort(device.tell({ on: 'installed', token, outcome: 'active' }))).toEqual(['send RESPONSE 10']);
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(['send RESPONSE 10']);
    expect(inShort(device.tell({ on: 'installed', token, outcome: 'reverted' }))).toEqual([]);
    expect(device.state.finished[token]).toMatchObject({ kind: 'update', result: 'active', answer: 0x10 });
  });

  it('answers 1F for an installation that was reverted', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await startActivation(device, token);
    expect(inShort(device.tell({ on: 'installed', token, outcome: 'reverted' }))).toEqual([
      'send RESPONSE 1f',
    ]);
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(['send RESPONSE 1f']);
    expect(device.state.finished[token]).toMatchObject({ result: 'reverted' });
  });

  it('is refused and answered 1F when nothing is staged (P 10.3)', async () => {
    const device = soloDevice();
    const token = device.newToken();
    const expected = ['send RESPONSE 1f', 'refused FLOW_STATE'];
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(expected);
    await initiate(device, token);
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(expected);
    expect(device.state.open[token]).toMatchObject({ phase: 'fetching' });
    device.tell({ on: 'fetched', token, outcome: 'bad-digest' });
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(expected);
  });

  it('is a conflict under the token of another kind', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await device.hear('ACTION', token, { actionId: 1 });
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(['refused FLOW_CONFLICT']);
  });

  it('is answered 1F when its token is older than 7 days, and 10 again when it was obeyed before (P 6.2)', async () => {
    const device = soloDevice();
    const [late, obeyed] = [device.newToken(), device.newToken()];
    await stage(device, late);
    await startActivation(device, obeyed);
    device.tell({ on: 'installed', token: obeyed, outcome: 'active' });
    device.pass(7 * DAY + 1);
    const expected = ['send RESPONSE 1f', 'refused FLOW_TOKEN_AGE'];
    expect(inShort(await device.hear('ACTIVATE', late, {}))).toEqual(expected);
    expect(device.state.open[late]).toBeUndefined();
    expect(inShort(await device.hear('ACTIVATE', obeyed, {}))).toEqual(['send RESPONSE 10']);
    expect(inShort(await device.hear('ACTIVATE', device.newToken(8 * DAY), {}))).toEqual(expected);
    // It gave way: to say "staged" again would be a lie.
    expect(inShort(await initiate(device, late))).toEqual(['send RESPONSE fe']);
  });
});

describe('a deferred activation (P 10.11)', () => {
  it('is told as 1D and DATA srup.defer under the same token, and may be asked for again', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await startActivation(device, token);
    const until = device.moment.now + 5000;
    const step = device.tell({ on: 'installed', token, outcome: 'deferred', reason: 'in use', until });
    expect(inShort(step)).toEqual(['send RESPONSE 1d', 'send DATA']);
    const data = step.effects.flatMap((it) =>
      it.do === 'send' && it.draft.type === 'DATA' ? [it.draft.body] : [],
    )[0]!;
    expect(data.dataId).toBe('srup.defer');
    expect(decodeDeferral(token, data.data)).toEqual({ reason: 'in use', until });
    expect(device.state.open[token]).toMatchObject({ phase: 'staged' });
    expect(inShort(await device.hear('ACTIVATE', token, {}))).toEqual(['install']);
  });

  it('is waited for in silence when the server does not know it', async () => {
    const device = soloDevice({ serverSpeaksProfile: false });
    const token = device.newToken();
    await startActivation(device, token);
    expect(inShort(device.tell({ on: 'installed', token, outcome: 'deferred' }))).toEqual([]);
    const wakeAt = nextWake(device.state)!;
    expect(wakeAt).toBe(device.moment.now + 15 * 60_000);
    expect(device.resume(false).effects).toEqual([]);
    expect(inShort(device.tell({ on: 'time' }))).toEqual([]);
    device.pass(wakeAt - device.moment.now);
    expect(inShort(device.tell({ on: 'time' }))).toEqual(['install']);
    expect(nextWake(device.state)).toBeUndefined();
    expect(inShort(device.tell({ on: 'installed', token, outcome: 'active' }))).toEqual(['send RESPONSE 10']);
  });

  it('is waited for until the time that the device names', async () => {
    const device = soloDevice({ serverSpeaksProfile: false });
    const token = device.newToken();
    await startActivation(device, token);
    const until = device.moment.now + 77_000;
    device.tell({ on: 'installed', token, outcome: 'deferred', until });
    expect(nextWake(device.state)).toBe(until);
  });
});

describe('after a restart', () => {
  it('a device fetches again, installs again, and leaves alone what is staged', async () => {
    const device = soloDevice();
    const [fetching, staged, activating] = [device.newToken(), device.newToken(), device.newToken()];
    await startActivation(device, activating);
    await stage(device, staged);
    await initiate(device, fetching);
    const before = device.state;
    const step = device.resume(true);
    expect(step.state).toEqual(before);
    expect(step.effects).toEqual([
      { do: 'install', token: activating, digest: DIGEST },
      { do: 'fetch', token: fetching, url: URL, digest: DIGEST },
    ]);
  });
});
