import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentStatus } from '@srup/agent';
import { byteCount } from '../screen/words.ts';
import { judgeCertificate } from './certificates.ts';
import { diskChecks } from './disk.ts';
import { failed, ok, untried, warning, type Check, type Judgement } from './finding.ts';
import { get, greet, judgeClock } from './reach.ts';

/** The agent renews its certificate when a third of a year is left. */
const RENEWED_MS = 30 * 86_400_000;
const LET_IN_MS = 1_500;
/** Free bytes that suffice for most updates: the new file next to those that are kept. */
const UPDATE_BYTES = 256 * 2 ** 20;

interface Identity {
  readonly id: string;
  readonly url: string;
  readonly broker: string;
}

export function agentChecks(home: string): Check[] {
  return [
    { name: 'configuration', run: async () => [await checkConfig(home)] },
    { name: 'identity', run: async () => [await checkIdentity(home)] },
    ...diskChecks(home, ['software/']),
    { name: 'room for updates', run: async () => [await checkRoom(home)] },
    { name: 'certificate', run: async () => [await checkCertificate(home)] },
    { name: 'key service', run: () => checkKeyService(home) },
    { name: 'broker', run: async () => [await checkBroker(home)] },
    { name: 'agent', run: async () => [await checkProcess(home)] },
  ];
}

async function checkConfig(home: string): Promise<Judgement> {
  const { homeAt, parseConfig } = await import('@srup/agent');
  const { config } = homeAt(home);
  try {
    const { url } = parseConfig(JSON.parse(await readFile(config, 'utf8')) as never, config);
    return ok(`registers at ${url}`);
  } catch (fault) {
    return failed((fault as Error).message, `Correct ${config}, or give the options to "srup agent" again.`);
  }
}

async function identityOf(home: string): Promise<Identity | undefined> {
  const { homeAt } = await import('@srup/agent');
  const text = await readFile(homeAt(home).identity, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Identity);
}

/** How to bring back a device whose identity has ended. */
const anew = (home: string): string =>
  `Register it as another device: srup agent join --home '${home}' --enrolment-code CODE`;

async function checkIdentity(home: string): Promise<Judgement> {
  const { readStoredStatus } = await import('@srup/agent');
  const { identity, phase } = await readStoredStatus(home);
  if (phase === 'unregistered') return warning('it gave its identity up', anew(home));
  if (identity === undefined)
    return warning('none yet: it has not registered', 'Start the agent; its log says what it waits for.');
  if (phase === 'joined') return ok(`${identity.id}, joined`);
  return warning(`${identity.id}, ${phase}`, 'An operator has to decide: srup ctl joins');
}

async function checkRoom(home: string): Promise<Judgement> {
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const what = `${byteCount(free)} for new software`;
  return free < UPDATE_BYTES
    ? warning(what, 'Make room, or keep fewer versions: software.keep in agent.json.')
    : ok(what);
}

const keyFile = (home: string, name: string): string => join(home, 'keys', name);

async function checkCertificate(home: string): Promise<Judgement> {
  if ((await identityOf(home)) === undefined) return untried('it has not registered yet');
  const ca = await readFile(keyFile(home, 'ca.pem'), 'utf8');
  const todo =
    'Start the agent where it reaches the key service: it renews its certificate, even one that has expired.';
  return judgeCertificate(
    { file: keyFile(home, 'tls.cert.pem'), ca, renewedMs: RENEWED_MS, todo },
    Date.now(),
  );
}

async function checkKeyService(home: string): Promise<Judgement[]> {
  const known = await identityOf(home);
  if (known === undefined) return [untried('it has not registered yet')];
  const ca = await readFile(keyFile(home, 'ca.pem'), 'utf8');
  const address = `${known.url.replace(/\/+$/, '')}/KeyEx/register/status`;
  const reply = await get(address, ca).catch((fault: unknown) => fault as Error);
  if (reply instanceof Error) {
    return [
      failed(`${known.url}: ${reply.message}`, 'Check the network, the name and the clock of this device.'),
    ];
  }
  return [ok(`${known.url} answers`), judgeClock(reply.date, Date.now(), 'the key service')];
}

/** Tries the handshake only: a second connection with its name would disconnect the running agent. */
async function checkBroker(home: string): Promise<Judgement> {
  const known = await identityOf(home);
  if (known === undefined) return untried('it has not registered yet');
  const url = new URL(known.broker);
  if (url.protocol !== 'mqtts:')
    return warning(`${known.broker} does not use TLS`, 'For tests only (P 7.5).');
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'tls.cert.pem', 'tls.key.pem'].map((name) => readFile(keyFile(home, name), 'utf8')),
  );
  const { unreached, refused } = await greet(
    url,
    { ca: ca ?? '', cert: cert ?? '', key: key ?? '' },
    LET_IN_MS,
  );
  if (unreached !== undefined)
    return failed(
      `${url.host} can't be reached: ${unreached}`,
      'Check the network, and the clock of this device.',
    );
  if (refused === undefined) return ok(`${known.broker} accepts this device's certificate`);
  return failed(
    `${known.broker}: ${refused}`,
    `Check the clock. A revoked certificate is never accepted again. ${anew(home)}`,
  );
}

async function checkProcess(home: string): Promise<Judgement> {
  const { askAgent, homeAt } = await import('@srup/agent');
  const reply = await askAgent(homeAt(home).socket, 'status').catch(() => undefined);
  if (reply === undefined) return failed('no agent runs in this folder', `srup agent --home '${home}'`);
  const { phase, trouble, pid, connected, waiting } = reply.value as AgentStatus;
  if (trouble !== undefined)
    return failed(`process ${pid} could not register: ${trouble.message}`, anew(home));
  if (phase === 'revoked' || phase === 'unknown')
    return failed(`process ${pid}: its key service says that its identity is ${phase}`, anew(home));
  if (!connected) return failed(`process ${pid} is not connected to the broker`, 'Its log says why.');
  return ok(`process ${pid} is connected; ${waiting} messages wait`);
}
