/** The server and its broker as victims, and a witness who hears everything that goes over an external broker. */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectMqtt, systemClock, systemRandom, Secret } from '@srup/node';
import { decode, identityText, parseIdentity, toHex, type Identity } from '@srup/protocol';
import type { SeededRandom } from '@srup/protocol/testing';
import type { AuditStatus } from '@srup/server';
import { openAuthority } from '../../../packages/server/src/authority/authority.ts';
import type { BrokerName } from '../../support/brokers.ts';
import { startDatabase } from '../../support/database.ts';
import { prepareMosquitto, type Mosquitto } from '../../support/mosquitto.ts';
import type { Postgres } from '../../support/postgres.ts';
import { placeServer, startSite, type Ground } from '../../support/server.ts';
import { until } from '../../support/wait.ts';
import { openApi, type Api } from './api.ts';

export const DATABASES = ['sqlite', 'postgres'] as const;
export type DatabaseName = (typeof DATABASES)[number];

/** How long the database stays dead, in milliseconds, and how often the longer time: work waits 5 seconds for it. */
const SHORT_MS = 1_000;
const LONG_MS = 12_000;
const SHARE_LONG = 0.1;

export interface VictimSite {
  readonly url: string;
  readonly caFingerprint: string;
  readonly api: Api;
  readonly witness: Witness | undefined;
  /** Kills the server (with an embedded broker, that too) and starts it again; resolves when it answers. */
  readonly killServer: () => Promise<void>;
  /** Undefined if the broker is a part of the server. */
  readonly killBroker: (() => Promise<void>) | undefined;
  /** Kills all processes of the database and starts it again after a while; undefined if it is a part of the server. */
  readonly killDatabase: (() => Promise<void>) | undefined;
  /** Starts the server anew, which inspects its whole audit trail then; the contradictions. */
  readonly inspectTrail: () => Promise<readonly string[]>;
  /** The end of the server's log. */
  said(): string;
}

/** Messages by their sender, peer and number: each number may stand for one message only (P 5.1). */
export interface Witness {
  readonly heard: number;
  /** Numbers that were used for two different messages. */
  readonly reused: readonly string[];
}

export async function openSite(
  ground: Ground,
  { broker, database }: { readonly broker: BrokerName; readonly database: DatabaseName },
  random: SeededRandom,
): Promise<VictimSite> {
  const postgres = database === 'postgres' ? await startDatabase(ground) : undefined;
  await placeServer(ground);
  let mosquitto: Mosquitto | undefined;
  let witness: Witness | undefined;
  if (broker === 'mosquitto') {
    mosquitto = await prepareMosquitto(ground);
    witness = await openWitness(ground, mosquitto);
  }
  let site = await startSite(ground, ['--open-registration', ...(mosquitto?.args ?? [])]);
  const { url, caFingerprint, sameAgain } = site;
  const { secret } = await site.ask<{ secret: string }>('tokens', 'create', 'faults', '--role', 'admin');
  const ca = await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'), 'utf8');
  const api = openApi(url, ca, secret);
  await api.put('/join-policy/victim', { verdict: 'accept' });
  ground.later(() => {
    api.close();
  });
  const killServer = async (): Promise<void> => {
    await site.process.stop('SIGKILL');
    site = await startSite(ground, sameAgain);
  };
  return {
    ...{ url, caFingerprint, api, witness, killServer },
    killBroker: mosquitto && (() => restart(mosquitto)),
    killDatabase:
      postgres &&
      (async () => {
        await restart(postgres, deadFor(random));
        if (site.process.child.exitCode !== null)
          throw new Error(`the server ended by itself:\n${site.process.stderr().slice(-4_000)}`);
      }),
    inspectTrail: async () => {
      await killServer();
      return (await api.get<AuditStatus>('/audit/status')).alarms;
    },
    said: () => site.process.stderr().slice(-4_000),
  };
}

/** Mostly it is back before anybody's patience ends; sometimes it is not. */
function deadFor(random: SeededRandom): number {
  return random.chance(SHARE_LONG) ? LONG_MS : random.below(SHORT_MS);
}

async function restart(victim: Pick<Mosquitto | Postgres, 'kill' | 'start'>, deadMs = 0): Promise<void> {
  await victim.kill();
  await pause(deadMs);
  await victim.start();
}

/** Starts the broker with a user that can read everything and publish nothing. */
async function openWitness(ground: Ground, mosquitto: Mosquitto): Promise<Witness> {
  const id = parseIdentity('abcabcabcabcabc') as Identity;
  const authorityFile = (name: string) => readFile(join(ground.folder, 'server', 'authority', name), 'utf8');
  const ca = await authorityFile('ca.pem');
  const authority = openAuthority(
    new Secret(await authorityFile('ca.key.pem')),
    ca,
    systemClock,
    systemRandom,
  );
  const { chain, key } = await authority.issueClient(id);
  await appendFile(
    join(ground.folder, 'mosquitto', 'acl'),
    `\nuser ${identityText(id)}\ntopic read SRUP/#\n`,
  );
  await mosquitto.start();
  const link = connectMqtt({
    ...{ url: mosquitto.url, ca, cert: chain, key, clean: false },
    clientId: 'witness',
    backoff: { leastMs: 50, mostMs: 100 },
  });
  const numbers = new Map<string, string>();
  const witness = { heard: 0, reused: [] as string[] };
  link.onMessage = async ({ topic, bytes }) => {
    const decoded = decode(bytes);
    if (!decoded.ok) return;
    const { sender, sequence } = decoded.value.message;
    const name = `${identityText(sender)} on ${topic.split('/').at(-1)}: ${sequence}`;
    const hex = toHex(bytes);
    if ((numbers.get(name) ?? hex) !== hex) witness.reused.push(name);
    numbers.set(name, hex);
    witness.heard += 1;
  };
  let isListening = false;
  link.onConnect = () => {
    link.subscribe(['SRUP/#']).then(
      () => (isListening = true),
      () => undefined, // the broker is killed again
    );
  };
  ground.later(() => link.close());
  await until('the witness listens', () => isListening);
  return witness;
}
