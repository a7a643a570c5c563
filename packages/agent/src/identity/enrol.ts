import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  backoffMs,
  fetchPinnedCa,
  generateKeys,
  makePrivateFolder,
  newIdentity,
  undatedBy,
  type BackoffBounds,
  type Log,
} from '@srup/node';
import { identityText, type Clock, type Random } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import type { Home } from '../ground/home.ts';
import { AgentError, reasonOf } from '../ground/trouble.ts';
import { warnOfClock } from '../ground/unset-clock.ts';
import {
  loadCredentials,
  loadKeys,
  loadOwnKeys,
  saveIdentity,
  saveKeyFile,
  saveKeys,
  type Credentials,
} from '../vault/identity.ts';
import { askAccess, askRegistration, askStatus, askValidation } from './calls.ts';
import { makeTlsKey } from './csr.ts';
import { dropProgress, loadProgress, saveProgress, type Progress } from './progress.ts';
import { keyServiceAt, type KeyService } from './service.ts';
import { explainConnection, PassingTrouble } from './passing-trouble.ts';

export interface EnrolmentTools {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts the enrolment; the promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Time between tries while the service can't be reached (P 10.10). */
  readonly backoff?: BackoffBounds;
}

export const ENROLMENT_BACKOFF = { leastMs: 2_000, mostMs: 300_000 };
/** Random ids that are tried before giving up. By chance an id is taken once in 2^64. */
const MAX_DRAWS = 5;

/**
 * Gives this device an identity (P 8): its own id and keys, registered, validated and certified. Continues an enrolment
 * that was interrupted, and waits for a service that can't be reached. Rejects with `AgentError` for what a person must
 * correct.
 */
export async function enrol(config: AgentConfig, home: Home, tools: EnrolmentTools): Promise<Credentials> {
  for (let failures = 1; ; failures++) {
    try {
      return await enrolOnce(config, home, tools);
    } catch (error) {
      tools.signal.throwIfAborted();
      if (!(error instanceof PassingTrouble)) throw error;
      const ownMs = backoffMs(failures, tools.backoff ?? ENROLMENT_BACKOFF, tools.random.unit());
      const waitMs = Math.max(ownMs, error.retryAfterMs ?? 0);
      tools.log.warn({ hint: error.hint, retryMs: Math.round(waitMs) }, `not enrolled yet: ${error.message}`);
      await sleep(waitMs, undefined, { signal: tools.signal });
    }
  }
}

async function enrolOnce(config: AgentConfig, home: Home, tools: EnrolmentTools): Promise<Credentials> {
  const pinned = await trustedCa(config, tools);
  if (pinned !== undefined && undatedBy(tools.clock, pinned)) warnOfClock(tools.log, tools.clock);
  using service = keyServiceAt(config.url, pinned, tools.clock, tools.signal);
  let progress = await loadProgress(home, config);
  for (let draws = 0; progress?.phase !== 'validated';) {
    if (progress === undefined) {
      if (draws++ === MAX_DRAWS)
        throw new AgentError(`${config.url} refused ${MAX_DRAWS} ids, one after the other`);
      const { active } = await askStatus(service);
      if (!active) throw new PassingTrouble(`${config.url} is closed: it registers no devices now`);
      progress = await draw(config, home, tools);
    }
    progress =
      progress.phase === 'drawn'
        ? await register(service, config, home, progress)
        : await prove(service, config, home, progress);
  }
  return await certify(service, home, progress, pinned, tools);
}

/** The CA of the service if the owner named one; otherwise the system decides whom to trust. */
async function trustedCa(
  config: AgentConfig,
  { clock, signal }: EnrolmentTools,
): Promise<string | undefined> {
  // P 8.6: over plain http anybody could answer.
  if (new URL(config.url).protocol !== 'https:') {
    throw new AgentError(
      `${config.url} is not an https address`,
      'A device registers over HTTPS only: use https://.',
    );
  }
  if (config.caFile !== undefined) {
    return readFile(config.caFile, 'utf8').catch((error: unknown) => {
      throw new AgentError(`the CA certificate can't be read: ${reasonOf(error)}`, undefined, error);
    });
  }
  if (config.caFingerprint === undefined) return undefined;
  try {
    return await fetchPinnedCa(config.url, config.caFingerprint, signal);
  } catch (error) {
    throw explainConnection(error, config.url, clock.now());
  }
}

/** Makes the device's id and its keys (P 8.1). They are durable before anybody hears of them. */
async function draw(config: AgentConfig, home: Home, { random }: EnrolmentTools): Promise<Progress> {
  await makePrivateFolder(home.keys);
  await saveKeys(home, await generateKeys(config.suite));
  await saveKeyFile(home, 'tlsKey', (await makeTlsKey()).reveal());
  const { url, type, suite } = config;
  return saveProgress(home, { phase: 'drawn', id: identityText(newIdentity(random)), type, suite, url });
}

/** Undefined when the id is taken (perhaps by ourselves, if the answer of a reference service got lost): draw again. */
async function register(
  service: KeyService,
  config: AgentConfig,
  home: Home,
  progress: Progress,
): Promise<Progress | undefined> {
  const keys = await loadKeys(home, progress.suite);
  const registration = await askRegistration(service, progress, keys, config);
  if (registration === 'taken') return undefined;
  await saveKeyFile(home, 'server', registration.serverPem);
  const { serverPem: _serverPem, ...facts } = registration;
  return saveProgress(home, { ...progress, ...facts, phase: 'registered' });
}

/** Undefined when the registration expired meanwhile (P 8.5). */
async function prove(
  service: KeyService,
  config: AgentConfig,
  home: Home,
  progress: Progress,
): Promise<Progress | undefined> {
  const keys = await loadKeys(home, progress.suite);
  const outcome = await askValidation(service, progress, keys, config);
  return outcome === 'gone' ? undefined : saveProgress(home, { ...progress, phase: 'validated' });
}

async function certify(
  service: KeyService,
  home: Home,
  progress: Progress,
  pinned: string | undefined,
  { clock, log }: EnrolmentTools,
): Promise<Credentials> {
  const { id, type, suite, url, server = '', broker = '', servicePem } = progress;
  const { keys, tlsKey } = await loadOwnKeys(home, suite);
  const access = await askAccess(service, id, keys, tlsKey, clock);
  if (access === 'gone') {
    await dropProgress(home);
    throw new PassingTrouble('the registration expired before it was finished: it begins anew');
  }
  await saveKeyFile(home, 'tlsCertificate', access.certificate);
  await saveKeyFile(home, 'ca', bundle(pinned, access.ca));
  const known = { id, type, suite, url, server, broker, enrolledAt: clock.now() };
  await saveIdentity(home, { ...known, ...(servicePem === undefined && { reference: true }) });
  await dropProgress(home);
  log.info({ id, server, broker, suite }, 'enrolled');
  return (await loadCredentials(home)) as Credentials;
}

/** The CAs to trust for broker and artifacts: the CA of the answer, and the pinned one if it is another. */
function bundle(pinned: string | undefined, ca: string): string {
  if (pinned === undefined || new X509Certificate(pinned).raw.equals(new X509Certificate(ca).raw)) return ca;
  return `${ca.trimEnd()}\n${pinned}`;
}
