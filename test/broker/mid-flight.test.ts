/** Certificates expire while an action is open: the server's for HTTPS, for MQTTS and at its broker, and the device's. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { beforeEach, expect } from 'vitest';
import { Secret, systemClock, systemRandom } from '@srup/node';
import { parseIdentity } from '@srup/protocol';
import { startServer, type RunningServer, type ServerOptions } from '@srup/server';
import { openAuthority } from '../../packages/server/src/authority/authority.ts';
import { formatCredential } from '../../packages/server/src/vault/files.ts';
import { onEachBroker, test } from '../support/fixtures.ts';
import { launchDevice, TYPE, type Device } from '../support/device.ts';
import { prepareMosquitto, type Mosquitto } from '../support/mosquitto.ts';
import { startSite, type Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';

const DAY_MS = 86_400_000;
/** The life of every certificate; it is renewed after two thirds of that. */
const LIFE_MS = 8_000;
const SELF_TEST = 5;
/** An action that takes until the test lets it end; hexadecimal. */
const LONG = '40';

let said: string;

beforeEach(() => {
  said = '';
});

const inServer = (ground: Ground, ...path: string[]): string => join(ground.folder, 'server', ...path);

/** The certificate that this port shows. */
async function shownAt(url: string): Promise<X509Certificate> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  socket.on('error', () => undefined); // a broker ends it: there is no certificate of ours
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  return certificate!;
}

async function certificateOf({ home }: Device): Promise<X509Certificate> {
  return new X509Certificate(await readFile(join(home, 'keys', 'tls.cert.pem')));
}

/** Starts a server in this process, as no option of the command makes certificates that expire within seconds. */
async function startShort(ground: Ground, httpsPort: number, broker?: Mosquitto): Promise<RunningServer> {
  const options: ServerOptions = {
    folder: inServer(ground),
    httpsPort,
    mqttsPort: 0,
    requireEnrolmentCode: false,
    certificateMs: LIFE_MS,
    log: pino({ level: 'info' }, { write: (line: string) => void (said += line) }),
    ...(broker && { broker: optionsOf(broker) }),
  };
  const server = await startServer(options);
  ground.later(() => server.close());
  return server;
}

function optionsOf({ url, args }: Mosquitto): NonNullable<ServerOptions['broker']> {
  const option = (name: string): string => args[args.indexOf(name) + 1] ?? '';
  return { url, sessionsUrl: option('--broker-sessions'), reload: option('--broker-reload').split(' ') };
}

/** Orders an action; `done` resolves when the device has proven it. */
async function order({ fleet }: RunningServer, id: string, actionId: number) {
  const [receipt] = await fleet.command([id], { kind: 'action', actionId });
  if (receipt?.ok !== true) throw new Error(JSON.stringify(receipt));
  return {
    done: () =>
      until('the action is done', async () => {
        const view = await fleet.exchange(id, receipt.token);
        return view?.exchange.phase === 'done';
      }),
  };
}

async function acts(server: RunningServer, id: string): Promise<void> {
  await (await order(server, id, SELF_TEST)).done();
}

async function untilKnown({ fleet }: RunningServer, device: Device): Promise<string> {
  const id = await device.id();
  await until('the device has said what it is', async () => (await fleet.device(id))?.identification);
  return id;
}

/** Lets the certificates expire, as for a server that was off for two years. */
async function letExpire(ground: Ground): Promise<void> {
  const key = new Secret(await readFile(inServer(ground, 'authority', 'ca.key.pem'), 'utf8'));
  const clock = { ...systemClock, now: () => Date.now() - 730 * DAY_MS };
  const ca = await readFile(inServer(ground, 'authority', 'ca.pem'), 'utf8');
  const old = openAuthority(key, ca, clock, systemRandom);
  const id = parseIdentity((await readFile(inServer(ground, 'server', 'identity'), 'utf8')).trim())!;
  const names = ['127.0.0.1', '::1', 'localhost'];
  await writeFile(inServer(ground, 'tls', 'server.pem'), formatCredential(await old.issueServer(names)));
  await writeFile(inServer(ground, 'server', 'mqtt.pem'), formatCredential(await old.issueClient(id)));
}

onEachBroker('certificates of server and device', (broker) => {
  test('are renewed before they end, and after: devices stay, or come back by themselves', async ({
    ground,
  }) => {
    const alone = await startSite(ground); // makes the folder, and lets the operator log in
    await alone.ctl('policy', 'set', TYPE, 'accept');
    await alone.process.stop();
    for (const path of ['tls/server.pem', 'server/mqtt.pem']) await rm(inServer(ground, path)); // of a year
    const external = broker === 'mosquitto' ? await prepareMosquitto(ground) : undefined;
    const server = await startShort(ground, Number(new URL(alone.url).port), external);
    if (external !== undefined) {
      await external.start();
      // What a device asks before anybody listens is lost, and asked again after up to a minute (P 10.10).
      await until('the server listens', () => external.log().includes(`SUBACK to ${external.serverId}`));
    }
    const [diary, mayEnd] = [join(ground.folder, 'diary'), join(ground.folder, 'may-end')];
    const long = `echo began >>'${diary}'; until test -e '${mayEnd}'; do sleep 0.1; done; echo ended >>'${diary}'`;
    const device = await launchDevice(ground, server, 'pump', {
      actions: { commands: { [LONG]: ['/bin/sh', '-c', long] } },
    });
    const id = await untilKnown(server, device);
    // From then on the broker learns of new certificates only, for an hour.
    if (external !== undefined) {
      await until('the broker has the list', () => said.includes('the broker refuses everybody'));
    }

    const open = await order(server, id, Number(`0x${LONG}`));
    await until('the device is at it', async () => (await readFile(diary, 'utf8').catch(() => '')) !== '');
    const deviceFirst = await certificateOf(device);
    const first = [await shownAt(server.url), await shownAt(server.brokerUrl)];
    const own = new X509Certificate(await readFile(inServer(ground, 'server', 'mqtt.pem')));
    const end = Math.max(...[...first, own, deviceFirst].map(({ validToDate }) => validToDate.getTime()));
    expect(end).toBeLessThan(Date.now() + LIFE_MS);
    await until('they have ended', () => Date.now() > end + 1_000);
    for (const [index, url] of [server.url, server.brokerUrl].entries()) {
      const shown = await shownAt(url);
      expect(shown.serialNumber).not.toBe(first[index]?.serialNumber);
      expect(shown.validToDate.getTime()).toBeGreaterThan(Date.now());
    }
    expect(said).toContain('the certificate was renewed'); // so it connected anew, with the new one
    expect((await certificateOf(device)).validToDate.getTime()).toBeGreaterThan(Date.now());
    // What was open all the while ends, and was done once.
    await writeFile(mayEnd, '');
    await open.done();
    expect(await readFile(diary, 'utf8')).toBe('began\nended\n');
    await acts(server, id);
    // All of them connect again, and check certificates.
    await external?.kill();
    await external?.start();
    await device.process.stop();
    device.restart();
    await acts(server, id);

    // Off for too long: the broker outside has come up with what it found.
    await server.close();
    await letExpire(ground);
    await external?.kill();
    await external?.start();
    if (external !== undefined) {
      expect((await shownAt(external.url)).validToDate.getTime()).toBeLessThan(Date.now());
    }
    const ports = ['--mqtts-port', new URL(server.brokerUrl).port];
    const https = ['--https-port', new URL(server.url).port];
    const again = await startSite(ground, [...https, ...(external?.args ?? ports)]);
    const done = await again.ctl('action', id, 'self-test', '--wait', '--limit', '1m');
    expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
    for (const url of [again.url, again.brokerUrl])
      expect((await shownAt(url)).validToDate.getTime()).toBeGreaterThan(Date.now() + DAY_MS);
  });
});
