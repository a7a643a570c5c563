import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkAudit } from './audit.ts';
import { judgeCertificate } from './certificates.ts';
import { checkClock } from './clock.ts';
import { diskChecks } from './disk.ts';
import { failed, ok, untried, warning, type Check, type Judgement } from './finding.ts';
import { environmentPassword } from '../service/database.ts';
import { get, whyTaken, type Reply } from './reach.ts';
import { tryBroker } from './rules.ts';

const DAY_MS = 86_400_000;
/** The server renews its certificates this long before they expire. */
const RENEWED_MS = 30 * DAY_MS;
/** The end of the CA is the end of every certificate, so it is reported early. */
const CA_MS = 365 * DAY_MS;
const DATABASES = ['server/fleet.db', 'key-service/identities.sqlite'] as const;
/** Mosquitto makes this file readable for everybody, whatever its umask. */
const MOSQUITTO_PID = 'mosquitto/mosquitto.pid';
const RESTART = 'Restart the server, which renews them when it starts.';

export interface ServerQuestions {
  readonly folder: string;
  readonly url: string;
  readonly broker: string;
  readonly brokerCa: string | undefined;
  readonly version: string;
}

export function serverChecks(questions: ServerQuestions): Check[] {
  const { folder } = questions;
  return [
    { name: 'server', run: async () => [await checkProcess(questions)] },
    { name: 'clock', run: async () => [await checkClock()] },
    ...diskChecks(folder, ['artifacts/', MOSQUITTO_PID]),
    { name: 'database', run: () => checkDatabases(folder) },
    { name: 'audit', run: () => checkAudit(folder) },
    { name: 'certificates', run: () => checkCertificates(folder) },
    { name: 'https', run: () => checkHttps(questions) },
    { name: 'broker', run: () => checkBroker(questions) },
  ];
}

const caOf = (folder: string): Promise<string> => readFile(join(folder, 'authority', 'ca.pem'), 'utf8');

async function pidOf(folder: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(folder, '.lock.pid'), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined;
  }
}

async function checkProcess({ folder, url }: ServerQuestions): Promise<Judgement> {
  const pid = await pidOf(folder);
  if (pid !== undefined) return ok(`process ${pid} uses the folder`);
  const { port } = new URL(url);
  const taken = await whyTaken(Number(port));
  if (taken === undefined) return failed('no server runs in this folder', `srup up --folder '${folder}'`);
  return failed(
    `no server runs in this folder, and port ${port} can't be used (${taken})`,
    'Stop the other program, or name the right --folder or --url.',
  );
}

async function checkDatabases(folder: string): Promise<Judgement[]> {
  const { askDatabases, readDatabaseNote } = await import('@srup/server');
  const note = await readDatabaseNote(folder);
  if (note === undefined)
    return Promise.all(DATABASES.map((path) => checkDatabase(join(folder, path), path)));
  try {
    await askDatabases(folder, await environmentPassword());
    return [ok(`${note.url} answers`)];
  } catch (fault) {
    return [
      failed(
        `${note.url} does not answer: ${(fault as Error).message}`,
        'Check that PostgreSQL runs and lets this server in; its log says why it does not.',
      ),
    ];
  }
}

async function checkDatabase(file: string, name: string): Promise<Judgement> {
  const { findDamage } = await import('@srup/server');
  const damage = findDamage(file);
  if (damage === undefined) return ok(`${name} is whole`);
  return failed(`${name} is damaged: ${damage}`, 'Stop the server, and restore a backup: srup restore');
}

async function checkCertificates(folder: string): Promise<Judgement[]> {
  const ca = await caOf(folder);
  const now = Date.now();
  const own = ['tls/server.pem', 'server/mqtt.pem'].map((path) =>
    judgeCertificate({ file: join(folder, path), ca, renewedMs: RENEWED_MS, todo: RESTART }, now),
  );
  const todo = 'Plan a new server folder, and a new registration of the devices.';
  const authority = { file: join(folder, 'authority', 'ca.pem'), ca, renewedMs: CA_MS, todo };
  const judgements = await Promise.all([...own, judgeCertificate(authority, now)]);
  const names = ['HTTPS', 'MQTT', 'CA'];
  return judgements.map((one, index) => ({ ...one, what: `${names[index] ?? ''}: ${one.what}` }));
}

async function checkHttps({ folder, url, version }: ServerQuestions): Promise<Judgement[]> {
  const ca = await caOf(folder);
  const reply = await get(`${url}/readyz`, ca).catch((fault: unknown) => fault as Error);
  if (reply instanceof Error) {
    return [
      failed(
        `${url} does not answer as this server: ${reply.message}`,
        'Check that its certificate has the name (srup up --host), and that no other program or firewall is in the way.',
      ),
    ];
  }
  const openapi = await get(`${url}/api/v1/openapi.json`, ca);
  return [
    ok(`${url} answers with a certificate of this server's CA`),
    judgeReadiness(reply),
    judgeVersion(openapi, version),
  ];
}

function judgeReadiness({ status, body }: Reply): Judgement {
  if (status === 200) return ok('it is ready');
  const { reasons = [] } = JSON.parse(body) as { reasons?: readonly string[] };
  return failed(`it is not ready: ${reasons.join('; ')}`, 'Correct that; see the log of the server.');
}

function judgeVersion({ body }: Reply, version: string): Judgement {
  const running = (JSON.parse(body) as { info?: { version?: string } }).info?.version;
  if (running === undefined) return untried('its version: the API is off');
  if (running === version) return ok(`it runs version ${running}`);
  return warning(
    `it runs version ${running}, and this is ${version}`,
    'Restart the server after an upgrade.',
  );
}

async function checkBroker({ folder, broker, brokerCa }: ServerQuestions): Promise<readonly Judgement[]> {
  const [{ makeProbes }, { systemClock, systemRandom }] = await Promise.all([
    import('@srup/server'),
    import('@srup/node'),
  ]);
  const probes = await makeProbes(folder, systemClock, systemRandom, await environmentPassword());
  return tryBroker({ url: broker, ca: brokerCa ?? (await caOf(folder)), ...probes });
}
