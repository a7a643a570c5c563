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
/** How often a certificate is checked in its life; at least once a day. */
const LOOKS = 24;
/** Time between checks while the clock is not set, in milliseconds. */
const UNSET_MS = 60_000;
/** Wait after the first failure, in milliseconds. It doubles with each failure, up to the time between checks. */
const AGAIN_MS = 5_000;
/** The fraction of its life after which a certificate is renewed: a third of it remains if the service is away. */
const RENEW_AT = 2 / 3;

function lifeOf(certificatePem: string): { readonly from: number; readonly ms: number } {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  const from = validFromDate.getTime();
  return { from, ms: validToDate.getTime() - from };
}

/** Is it time to renew the certificate? `now`: ms since 1970. */
export function isRenewalDue(certificatePem: string, now: number): boolean {
  const { from, ms } = lifeOf(certificatePem);
  return now >= from + ms * RENEW_AT;
}

export interface Renewable {
  readonly credentials: Credentials;
  renew(changed: Partial<Credentials>): Promise<void>;
}

/**
 * Renews the certificate in time (P 8.3). Failures are logged, and it tries again. A certificate that has expired is
 * renewed too, as the SRUP key proves the device.
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

  /** Gives the milliseconds until the next check. */
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
  using service = keyServiceAt(config.url, isPinned(config) ? ca : undefined, clock, signal);
  const access = await askAccess(service, identity.id, keys, tlsKey, clock);
  if (access === 'gone') throw new PassingTrouble('the key service does not know this device');
  await saveKeyFile(home, 'tlsCertificate', access.certificate);
  await session.renew({ tlsCertificate: access.certificate });
}

/** Has the owner pinned the CA of the key service? Otherwise the system decides whom to trust. */
export function isPinned({ caFingerprint, caFile }: AgentConfig): boolean {
  return caFingerprint !== undefined || caFile !== undefined;
}
