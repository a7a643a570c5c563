/** A client that has somebody's certificate and key, and connects to the broker with them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectMqtt, importSignKey, Secret, type MqttLink, type MqttOptions } from '@srup/node';
import { compose, encodeText, parseIdentity, type Draft, type Identity } from '@srup/protocol';
import type { Ground, Site } from './server.ts';
import { until } from './wait.ts';

export type Stolen = Pick<MqttOptions, 'cert' | 'key'>;

/** The credential in a device's home folder. Read it early: a device that leaves deletes it. */
export async function credentialOf({ home }: { readonly home: string }): Promise<Stolen> {
  const file = (name: string) => readFile(join(home, 'keys', name), 'utf8');
  return { cert: await file('tls.cert.pem'), key: new Secret(await file('tls.key.pem')) };
}

/** The server's credential at the broker, to show what the broker itself could do. */
export async function credentialOfServer(ground: Ground): Promise<Stolen> {
  const pem = await readFile(join(ground.folder, 'server', 'server', 'mqtt.pem'), 'utf8');
  return { cert: pem, key: new Secret(pem) };
}

export interface Intruder {
  readonly link: MqttLink;
  readonly heard: readonly { readonly topic: string; readonly bytes: Uint8Array }[];
  /** Why connections ended, or did not begin. */
  readonly reasons: readonly string[];
  /** How often it was accepted. */
  readonly entries: number;
}

/** Connects; resolves when it is connected or was refused. It connects again when it is disconnected. */
export async function intrude(
  ground: Ground,
  site: Pick<Site, 'brokerUrl'>,
  stolen: Stolen,
  clientId: string,
): Promise<Intruder> {
  const link = connectMqtt({
    url: site.brokerUrl,
    clientId,
    ca: await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'), 'utf8'),
    ...stolen,
    clean: false,
    backoff: { leastMs: 100, mostMs: 500 },
  });
  const heard: { topic: string; bytes: Uint8Array }[] = [];
  const reasons: string[] = [];
  let entries = 0;
  link.onMessage = async ({ topic, bytes }) => void heard.push({ topic, bytes });
  link.onConnect = () => entries++;
  link.onDisconnect = (reason) => reasons.push(reason);
  ground.later(() => link.close());
  await until('connected or refused', () => entries > 0 || reasons.length > 0);
  return {
    link,
    heard,
    reasons,
    get entries() {
      return entries;
    },
  };
}

/** Signs as a device does, with a key of its home folder. `sequence` must be above all that it has used. */
export async function signedBy(
  { home }: { readonly home: string },
  sender: string,
  sequence: bigint,
  { type, token, body }: { type: Draft['type']; token: string; body: object },
): Promise<Uint8Array> {
  const key = importSignKey(new Secret(await readFile(join(home, 'keys', 'signing.key.pem'), 'utf8')));
  const self = parseIdentity(sender) as Identity;
  const draft = { type, token: encodeText(token), body } as Draft;
  return (await compose(draft, sequence, self, { id: self }, key)).bytes;
}
