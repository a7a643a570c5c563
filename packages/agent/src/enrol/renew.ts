import { X509Certificate } from 'node:crypto';
import type { Clock } from '@srup/protocol';
import type { AgentConfig } from '../config.ts';
import type { Home } from '../home.ts';
import type { Log } from '../log.ts';
import { reasonOf } from '../trouble.ts';
import { loadCredentials, saveKeyFile, type Credentials } from '../vault/identity.ts';
import { askAccess } from './calls.ts';
import { keyServiceAt } from './service.ts';
import { PassingTrouble } from './trouble.ts';

/** Looks once a day. */
const LOOK_MS = 86_400_000;
/** Of a certificate's life, when it is renewed: late enough to be rare, early enough for a year of trouble. */
const RENEW_AT = 2 / 3;

/** Is it time for a new certificate? `now`: ms since 1970. */
export function isRenewalDue(certificatePem: string, now: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  const life = validToDate.getTime() - validFromDate.getTime();
  return now >= validFromDate.getTime() + life * RENEW_AT;
}

export interface Renewable {
  readonly credentials: Credentials;
  renew(credentials: Credentials): Promise<void>;
}

/** Keeps the certificate fresh while it is valid (P 8.3). Trouble is logged, and looked at again the next day. */
export function keepRenewed(
  session: Renewable,
  home: Home,
  config: AgentConfig,
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): { stop(): void } {
  const stopping = new AbortController();
  const look = () => {
    if (!clock.isTrusted() || !isRenewalDue(session.credentials.tlsCertificate, clock.now())) return;
    renewCertificate(session, home, config, clock, stopping.signal).then(
      () => {
        log.info({}, 'the certificate of this device is renewed');
      },
      (error: unknown) => {
        if (!stopping.signal.aborted)
          log.error({ reason: reasonOf(error) }, 'the certificate could not be renewed');
      },
    );
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  look();
  return {
    stop: () => {
      clearInterval(timer);
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
  const trusted = config.caFingerprint === undefined && config.caFile === undefined ? undefined : ca;
  const service = keyServiceAt(config.url, trusted, clock, signal);
  const access = await askAccess(service, identity.id, keys, tlsKey, clock);
  if (access === 'gone') throw new PassingTrouble('the key service does not know this device');
  await saveKeyFile(home, 'tlsCertificate', access.certificate);
  await session.renew((await loadCredentials(home)) as Credentials);
}
