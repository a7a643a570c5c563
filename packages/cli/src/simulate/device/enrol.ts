/** Enrols a simulated device (P 8), with the calls and checks of the agent and with keys in memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, generateKeys, newIdentity, type KeySet, type Secret } from '@srup/node';
import { identityText } from '@srup/protocol';
import {
  askAccess,
  askRegistration,
  askValidation,
  keyServiceAt,
  makeTlsKey,
  PassingTrouble,
  type Credentials,
} from '@srup/agent/parts';
import type { Site } from '../site.ts';

/** Makes the keys; only the device ever has the private ones (P 8.1). */
export interface NewKeys {
  readonly keys: KeySet;
  readonly tlsKey: Secret;
}

/** Wait between tries at a service that is busy or away; it doubles each time (P 10.10). Milliseconds. */
const BACKOFF = { leastMs: 1_000, mostMs: 30_000 };

export async function makeKeys({ suite, meter }: Site): Promise<NewKeys> {
  const began = performance.now();
  const [keys, tlsKey] = await Promise.all([generateKeys(suite), makeTlsKey()]);
  meter.time('keys', performance.now() - began);
  return { keys, tlsKey };
}

/** Enrols. Rejects with `AgentError` when another try is useless, and with the signal's reason. */
export async function enrol(site: Site, own: NewKeys): Promise<Credentials> {
  for (let failures = 1; ; failures++) {
    try {
      return await enrolOnce(site, own);
    } catch (error) {
      site.signal.throwIfAborted();
      if (!(error instanceof PassingTrouble)) throw error;
      site.meter.trouble(error.message);
      const ownMs = backoffMs(failures, BACKOFF, site.random.unit());
      await sleep(Math.max(ownMs, error.retryAfterMs ?? 0), undefined, { signal: site.signal });
    }
  }
}

async function enrolOnce(site: Site, { keys, tlsKey }: NewKeys): Promise<Credentials> {
  const { url, ca, type, suite, code, clock, random, meter, signal } = site;
  using service = keyServiceAt(url, ca, clock, signal);
  const id = identityText(newIdentity(random));
  const began = performance.now();
  const terms = {
    insecurePlainMqtt: false,
    referenceServer: false,
    ...(code !== undefined && { enrolmentCode: code }),
  };
  const registration = await askRegistration(service, { id, type, suite }, keys, terms);
  if (registration === 'taken') throw new PassingTrouble('the id is taken: another one is drawn');
  const registered = performance.now();
  meter.time('register', registered - began);
  const { server, serverPem, broker, servicePem } = registration;
  const validated = await askValidation(service, { id, servicePem }, keys, terms);
  const access = validated === 'gone' ? validated : await askAccess(service, id, keys, tlsKey, clock);
  if (access === 'gone') throw new PassingTrouble('a registration expired before it was finished');
  meter.time('certify', performance.now() - registered);
  return {
    identity: { id, type, suite, url, server, broker, enrolledAt: clock.now() },
    keys,
    tlsKey,
    tlsCertificate: access.certificate,
    ca: shared(access.ca),
    serverPem: shared(serverPem),
  };
}

const texts = new Map<string, string>();

/** Keeps one copy of a text that is the same for all devices of a server. */
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  texts.set(text, text);
  return text;
}
