/** Threat 12: an attacker who listens on the wire to the broker (P 7.1, 7.5). */
import { beforeEach, expect } from 'vitest';
import { encodeText, mqttClientId } from '@srup/protocol';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { until } from '../support/wait.ts';
import { openArena, type Arena } from './support/arena.ts';
import { connect, enrolAttacker, type Attacker, type Link } from './support/attacker.ts';

const REPORT = 'what the device reports';
const ORDER = 'what the server tells';

onEachBroker('eavesdropping', (broker) => {
  let captured: Buffer[];
  const onBytes = (chunk: Buffer): void => void captured.push(chunk);

  beforeEach(() => {
    captured = [];
  });

  /** Sends DATA both ways through this connection. */
  async function talk(arena: Arena, device: Attacker, link: Link): Promise<void> {
    await link.subscribe(device.topic);
    const { token } = await device.say(link, 'JOIN_REQ', {});
    await device.hear(link, 'RESPONSE', token);
    await device.say(link, 'DATA', { dataId: 'level', data: encodeText(REPORT) });
    await until('the report is there', async () => (await arena.data(device.text, 'level')).length === 1);
    await arena.command(device.text, {
      kind: 'data',
      dataId: 'target',
      value: { type: 'text', text: ORDER },
    });
    await device.hear(link, 'DATA');
  }

  /** The texts that could be read. */
  function readable(device: Attacker): string[] {
    const all = Buffer.concat(captured).toString('latin1');
    expect(all.length).toBeGreaterThan(1_000);
    return [REPORT, ORDER, 'SRUP/', device.text, 'level'].filter((text) => all.includes(text));
  }

  test('nothing can be read: no body, no topic, no name', async ({ ground }) => {
    const arena = await openArena(ground, broker, { onBytes });
    const device = await enrolAttacker(arena);
    await talk(arena, device, await device.connect());
    expect(readable(device)).toEqual([]);
  });

  test('without TLS, all of it is', async ({ ground }) => {
    const arena = await openArena(ground, broker, { plain: true });
    const device = await enrolAttacker(arena);
    const tap = await startCuttingProxy(arena.plainPort, onBytes);
    ground.later(() => tap.close());
    const options = { clientId: mqttClientId(device.id) };
    const link = await connect(arena, undefined, options, `mqtt://localhost:${tap.port}`);
    await talk(arena, device, link as Link);
    expect(readable(device)).toEqual([REPORT, ORDER, 'SRUP/', device.text, 'level']);
  });
});
