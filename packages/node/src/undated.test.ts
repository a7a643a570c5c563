import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock } from '@srup/protocol';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeCa, type Issued, type IssueOptions, type TestCa } from '../test/certificates.ts';
import { until } from './testing/index.ts';
import { connectMqtt } from './mqtt.ts';
import { connectUndated, undatedBy } from './undated.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const at = (now: number, isTrusted = true): Clock => ({
  now: () => now,
  monotonic: () => now,
  isTrusted: () => isTrusted,
});
const CLOCKS: Readonly<Record<string, () => Clock>> = {
  'was never set': () => at(MINUTE, false),
  'is far ahead': () => at(Date.UTC(2099, 0), false),
  'is before the CA': () => at(Date.now() - DAY),
  'is right': () => at(Date.now()),
};

let ca: TestCa;
let namesake: TestCa;
let client: Issued;
const servers: Server[] = [];
const sockets: TLSSocket[] = [];

beforeAll(async () => {
  ca = await makeCa('Right CA');
  namesake = await makeCa('Right CA');
  client = await ca.issue({ commonName: 'device' });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

interface Heard {
  readonly port: number;
  /** What came in through TLS. */
  bytes: number;
  /** Connections that ended. */
  ended: number;
}

async function serve({ certPem, key }: Issued): Promise<Heard> {
  const server = createServer({ key: key.reveal(), cert: certPem }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => heard.ended++);
    socket.on('data', (chunk: Buffer) => {
      heard.bytes += chunk.length;
      socket.write('hello');
    });
  });
  server.on('tlsClientError', () => heard.ended++);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const heard: Heard = { port: (server.address() as AddressInfo).port, bytes: 0, ended: 0 };
  return heard;
}

/** As a device does it: plainly where its clock may judge. Resolves when the server answers. */
async function talk(clock: Clock, port: number, host = 'localhost', pem = ca.pem): Promise<void> {
  const undated = undatedBy(clock, pem);
  const options = { host, port };
  const socket =
    undated === undefined
      ? connect({ ...options, ca: pem, servername: host })
      : connectUndated(options, undated);
  sockets.push(socket);
  socket.write('who are you?'); // at once, as HTTP and MQTT do
  await once(socket, 'data');
}

const good = (options: Partial<IssueOptions> = {}) =>
  ca.issue({ commonName: 'server', hosts: ['localhost'], ...options });
/** The right names, dates and key, with a signature that has one wrong bit. */
async function broken(): Promise<Issued> {
  const { certPem, key } = await good();
  const raw = Buffer.from(new X509Certificate(certPem).raw);
  raw.writeUInt8(raw.readUInt8(raw.length - 3) ^ 1, raw.length - 3);
  return { certPem: new X509Certificate(raw).toString(), key };
}
async function selfSigned(): Promise<Issued> {
  const { pem, key } = await makeCa('localhost');
  return { certPem: pem, key };
}

/** The last error that OpenSSL tells of each of these is one about dates, where they are wrong too. */
const STRANGERS: Readonly<Record<string, (dates: Partial<IssueOptions>) => Promise<Issued>>> = {
  'another CA with the same name': (dates) =>
    namesake.issue({ commonName: 'server', hosts: ['localhost'], ...dates }),
  'a broken signature': broken,
  'a certificate signed by itself': selfSigned,
  'another name': (dates) => good({ hosts: ['elsewhere'], ...dates }),
  'the certificate of a device': (dates) => good({ isClient: true, ...dates }),
};

describe.each(Object.entries(CLOCKS))('a clock that %s', (name, clock) => {
  const isRight = name === 'is right';

  test.each(Object.entries(STRANGERS))('refuses %s, and says nothing to it', async (_, issue) => {
    for (const dates of [{}, { notAfter: -MINUTE }, { notBefore: MINUTE }]) {
      const heard = await serve(await issue(dates));
      await expect(talk(clock(), heard.port)).rejects.toThrow();
      await until('it is over', () => heard.ended > 0);
      expect(heard.bytes).toBe(0);
    }
  });

  test('connects to the right server', async () => {
    await talk(clock(), (await serve(await good())).port);
  });

  test.each([{ notAfter: -MINUTE }, { notBefore: MINUTE }])(
    `${isRight ? 'refuses' : 'accepts'} a wrong date: %o`,
    async (dates) => {
      const heard = await serve(await good(dates));
      const talked = talk(clock(), heard.port);
      if (isRight) await expect(talked).rejects.toThrow(/expired|not yet valid/);
      else await talked;
    },
  );

  test(`${isRight ? 'refuses' : 'accepts'} a wrong date of the broker, and never a stranger`, async () => {
    const link = (port: number) => {
      const made = connectMqtt({
        url: `mqtts://localhost:${port}`,
        clientId: 'device',
        ca: ca.pem,
        cert: client.certPem,
        key: client.key,
        undated: () => undatedBy(clock(), ca.pem, client.certPem),
        clean: true,
      });
      const reasons: string[] = [];
      made.onDisconnect = (reason) => reasons.push(reason);
      return { made, reasons };
    };
    const old = await serve(await good({ notAfter: -MINUTE }));
    const stranger = await serve(await namesake.issue({ commonName: 'server', hosts: ['localhost'] }));
    const toOld = link(old.port);
    const toStranger = link(stranger.port);
    await until('the stranger is refused', () => toStranger.reasons.length > 0);
    expect(toStranger.reasons[0]).toMatch(/signed by|signature|issuer/);
    await until('it is over', () => stranger.ended > 0);
    expect(stranger.bytes).toBe(0);
    if (isRight) await until('the old one is refused', () => toOld.reasons[0]?.includes('expired') === true);
    else await until('it hears a CONNECT', () => old.bytes > 0);
    await Promise.all([toOld.made.close(), toStranger.made.close()]);
    if (isRight) expect(old.bytes).toBe(0);
  });
});

test('what ended before the device got its own certificate is old by any clock', async () => {
  const { port } = await serve(await good({ notAfter: -2 * MINUTE }));
  const own = await ca.issue({ commonName: 'device', notBefore: -MINUTE });
  const undated = undatedBy(at(0, false), ca.pem, own.certPem)!;
  const socket = connectUndated({ host: 'localhost', port }, undated);
  await expect(once(socket, 'data')).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
});
