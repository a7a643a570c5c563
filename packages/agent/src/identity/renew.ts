import { X509Certificate } from 'node:crypto';
import { backoffMs, type Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import type { Home } from '../ground/home.ts';
import { reasonOf } from '../ground/trouble.ts';
import { saveKeyFile, type Credentials } from '../vault/identity.ts';
import { askAccess } from './calls.ts';
import { keyServiceAt } from './service.ts';
import { PassingTrouble } from './passing-trouble.ts';

const DAY_MS = 86_400_000;
/** Looks in the life of a certificate, but at least one a day. */
const LOOKS = 24;
/** Between looks while the clock is not set, in milliseconds. */
const UNSET_MS = 60_000;
/** After the first failure, in milliseconds; doubled with each, up to the time between looks. */
const AGAIN_MS = 5_000;
/** Of a certificate's life, when it is renewed: late enough to be rare, early enough for a third of it in trouble. */
const RENEW_AT = 2 / 3;

function lifeOf(certificatePem: string): { readonly from: number; readonly ms: number } {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  const from = validFromDate.getTime();
  return { from, ms: validToDate.getTime() - from };
}

/** Is it time for a new certificate? `now`: ms since 1970. */
export function isRenewalDue(certificatePem: string, now: number): boolean {
  const { from, ms } = lifeOf(certificatePem);
  return now >= from + ms * RENEW_AT;
}

export interface Renewable {
  readonly credentials: Credentials;
  renew(changed: Partial<Credentials>): Promise<void>;
}

/**
 * Keeps the certificate fresh (P 8.3). Trouble is logged, and tried again. One that has expired meanwhile is renewed all
 * the same: the proof is by the SRUP key.
 */
export function keepRenewed(
  session: Renewable,
  home: Home,
  config: AgentConfig,
  { log, clock, random }: { readonly log: Log; readonly clock: Clock; readonly random: Pick<Random, 'unit'> },
): { stop(): void } {
  const stopping = new AbortController();
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  /** Milliseconds until the next look. */
  async function look(): Promise<number> {
    const certificate = session.credentials.tlsCertificate;
    const pauseMs = Math.min(DAY_MS, lifeOf(certificate).ms / LOOKS);
    if (!clock.isTrusted()) return Math.min(UNSET_MS, pauseMs);
    if (!isRenewalDue(certificate, clock.now())) return pauseMs;
    try {
      await renewCertificate(session, home, config, clock, stopping.signal);
      failures = 0;
      log.info({}, 'the certificate of this device is renewed');
      return pauseMs;
    } catch (error) {
      failures += 1;
      const ownMs = backoffMs(failures, { leastMs: AGAIN_MS, mostMs: pauseMs }, random.unit());
      const askedMs = error instanceof PassingTrouble ? (error.retryAfterMs ?? 0) : 0;
      const retryMs = Math.round(Math.min(pauseMs, Math.max(ownMs, askedMs)));
      if (!stopping.signal.aborted)
        log.error({ reason: reasonOf(error), retryMs }, 'the certificate could not be renewed');
      return retryMs;
    }
  }

  function keepLooking(): void {
    void look().then((waitMs) => {
      if (!stopping.signal.aborted) timer = setTimeout(keepLooking, waitMs).unref();
    });
  }

  keepLooking();
  return {
    stop: () => {
      clearTimeout(timer);
      stopping.abort();
    },
  };
}

async function renewCertificate(
  session: Renewable,
  home: Home,
  config: AgentConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { identity, ca, keys, tlsKey } = session.credentials;
  const service = keyServiceAt(config.url, isPinned(config) ? ca : undefined, clock, signal);
  const access = await askAccess(service, identity.id, keys, tlsKey, clock);
  if (access === 'gone') throw new PassingTrouble('the key service does not know this device');
  await saveKeyFile(home, 'tlsCertificate', access.certificate);
  await session.renew({ tlsCertificate: access.certificate });
}

/** Does the owner name the CA of the key service? Otherwise what the system trusts decides. */
export function isPinned({ caFingerprint, caFile }: AgentConfig): boolean {
  return caFingerprint !== undefined || caFile !== undefined;
}
