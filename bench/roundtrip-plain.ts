/**
 * Plain MQTT for bench/roundtrip.ts: a client sends itself a message through the broker and answers it, which is the
 * way of a command and its receipt. Arguments: broker URL, home of a device that is registered, rounds. Prints
 * milliseconds as JSON.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectMqtt, Secret } from '@srup/node';
import { deviceTopic, mqttClientId, parseIdentity } from '@srup/protocol';

/** As long as a signed ACTION with Ed25519. */
const PAYLOAD_BYTES = 123;

const [url = '', home = '', rounds = '0'] = process.argv.slice(2);
const read = (...path: string[]): Promise<string> => readFile(join(home, ...path), 'utf8');
const { id: text } = JSON.parse(await read('identity.json')) as { id: string };
const id = parseIdentity(text) as bigint;
const link = connectMqtt({
  url,
  clientId: mqttClientId(id),
  ca: await read('keys', 'ca.pem'),
  cert: await read('keys', 'tls.cert.pem'),
  key: new Secret(await read('keys', 'tls.key.pem')),
  clean: false,
});
let heard: () => void = () => undefined;
link.onMessage = async () => {
  heard();
};
await new Promise<void>((resolve) => {
  link.onConnect = () => {
    resolve();
  };
});
await link.subscribe([deviceTopic(id)]);

async function oneWay(): Promise<void> {
  const arrived = new Promise<void>((resolve) => (heard = resolve));
  void link.publish(deviceTopic(id), new Uint8Array(PAYLOAD_BYTES));
  await arrived;
}

const times: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  const start = performance.now();
  await oneWay();
  await oneWay();
  times.push(performance.now() - start);
}
console.log(JSON.stringify(times));
await link.close();
