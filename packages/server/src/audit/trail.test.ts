import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callerText, readCheckpoint, type Caller } from '@srup/protocol';
import type { AuditEntryView, AuditStatus } from '../api/forms/audit.ts';
import type { RunningServer } from '../options.ts';
import { startServer } from '../server.ts';
import { until } from '@srup/node/testing';
import { makeAuthority } from '../../test/authority.ts';
import { placeFor, toldOf } from '../../test/database.ts';

let folder: string;
const removals: (() => Promise<void>)[] = [];
let witness: Server;
let isAway = true;
const received: string[] = [];
let server: RunningServer;
let client: Agent;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-trail-'));
  const authority = await makeAuthority('witness');
  const { key, chain } = await authority.issueServer(['localhost']);
  setDefaultCACertificates([...getCACertificates(), authority.caPem]);
  witness = createServer({ key: key.reveal(), cert: chain }, (incoming, answer) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    incoming.on('end', () => {
      if (!isAway) received.push(text);
      answer.writeHead(isAway ? 503 : 204).end();
    });
  }).listen(0);
  await once(witness, 'listening');
  const { port } = witness.address() as AddressInfo;
  const place = await placeFor(folder, (remove) => removals.push(remove));
  server = await startServer({
    ...toldOf(place),
    folder: join(folder, 'server'),
    httpsPort: 0,
    mqttsPort: 0,
    witnesses: [`https://localhost:${port}/srup`],
    log: pino({ level: 'silent' }),
  });
  client = new Agent({ connect: { ca: server.caPem } });
  // With a character that no key has in base64: the search below finds the name and nothing else.
  token = (await server.tokens.create('mia!', 'admin')).secret;
});

afterAll(async () => {
  await client.close();
  await server.close();
  witness.closeAllConnections();
  witness.close();
  for (const remove of removals) await remove();
  await rm(folder, { recursive: true });
});

async function call<Answer>(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<Answer> {
  const { body: answer } = await request(`${server.url}/api/v1${path}`, {
    method,
    dispatcher: client,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as Answer;
}

const status = (): Promise<AuditStatus> => call('GET', '/audit/status');

it('a witness that is away shows as such, delays nothing, and gets everything in order when it is back', async () => {
  await until('the trouble is shown', async () => (await status()).witnesses[0]?.trouble !== undefined);
  expect((await status()).witnesses[0]?.trouble).toContain('503');
  await call('POST', '/audit/checkpoints');
  isAway = false;
  await call('POST', '/audit/checkpoints');
  await until('the witness has everything', async () => {
    const { checkpoint, witnesses } = await status();
    return witnesses[0]?.seq === checkpoint?.seq && witnesses[0]?.trouble === undefined;
  });
  const places = received.map((text) => {
    const { checkpoint } = JSON.parse(text) as { checkpoint: string };
    return readCheckpoint(checkpoint)?.seq ?? 0;
  });
  expect(places.length).toBeGreaterThan(1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  const headers = { authorization: `Bearer ${token}` };
  const { body } = await request(`${server.url}/metrics`, { dispatcher: client, headers });
  const metrics = await body.text();
  expect(metrics).toMatch(/^srup_audit_alarms 0$/m);
  expect(metrics).toMatch(/^srup_audit_witness_missing_entries\{witness="https:\S+\/srup"\} 0$/m);
  expect(metrics).toMatch(/^srup_audit_witness_failures_total\{witness="https:\S+\/srup"\} [1-9]/m);
});

it('codes and registration of the key service have one entry each, with the caller', async () => {
  await call('POST', '/enrolment-codes', { type: 'pump' });
  await call('PUT', '/registration', { open: false });
  await call('POST', '/audit/checkpoints');
  await call('POST', '/audit/checkpoints');
  const { rows } = await call<{ rows: AuditEntryView[] }>('GET', '/audit?text=mia!');
  const told = rows.map(({ kind, body }) => `${kind} ${callerText(body['by'] as Caller)}`).reverse();
  expect(told[0]).toMatch(/^token program sdk$/);
  expect(told.slice(1)).toEqual([
    expect.stringMatching(/^code mia! \([0-9a-f]{8}\)$/),
    expect.stringMatching(/^registration mia! \([0-9a-f]{8}\)$/),
  ]);
  const { rows: none } = await call<{ rows: AuditEntryView[] }>('GET', '/audit?kind=alarm');
  expect(none).toEqual([]);
});
