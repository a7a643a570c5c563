/** The server's own certificates, which it renews before they expire. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { writeFileAtomic } from '@srup/node';
import type { Clock, Identity } from '@srup/protocol';
import type { Authority, Credential } from '../authority/authority.ts';
import { DAY_MS } from '../authority/ca.ts';
import { parseKey } from '../authority/keys.ts';
import { formatCredential, parseCredential, readIfThere } from './files.ts';
import { namesIn } from './names.ts';

/** A certificate is replaced when it ends within this many milliseconds, or within a third of its life if that is less. */
const RENEWAL_MS = 30 * DAY_MS;

export interface Renewed {
  readonly tls: boolean;
  readonly mqtt: boolean;
}

export interface Credentials {
  /** For HTTPS and MQTTS. */
  tls(): Credential;
  /** For the server's own connection to the broker. */
  mqtt(): Credential;
  /** Replaces the certificates that end soon, or have other names than they should. */
  renew(): Promise<Renewed>;
}

interface Kind {
  readonly path: string;
  issue(): Promise<Credential>;
  /** Does the certificate say what it must, apart from its validity? */
  isWanted(certificatePem: string): boolean;
}

export interface CredentialOptions {
  /** The server's. */
  readonly folder: string;
  readonly serverId: Identity;
  /** From `certificateNames`. */
  readonly names: readonly string[];
}

export interface CredentialPorts {
  readonly authority: Authority;
  readonly clock: Clock;
}

/** Reads the server's certificates, and replaces those that are missing, damaged or end soon. */
export async function openCredentials(
  { folder, serverId, names }: CredentialOptions,
  { authority, clock }: CredentialPorts,
): Promise<Credentials> {
  const tlsKind: Kind = {
    path: join(folder, 'tls', 'server.pem'),
    issue: () => authority.issueServer(names),
    isWanted: (pem) => namesIn(pem).join() === names.join(),
  };
  const mqttKind: Kind = {
    path: join(folder, 'server', 'mqtt.pem'),
    issue: () => authority.issueClient(serverId),
    isWanted: () => true,
  };
  const caKey = new X509Certificate(authority.caPem).publicKey;
  let tls = await ensure(tlsKind);
  let mqtt = await ensure(mqttKind);

  async function ensure(kind: Kind, known?: Credential): Promise<Credential> {
    const kept = known ?? (await readCredential(kind.path));
    if (kept !== undefined && isGood(kept, kind)) return kept;
    const issued = await kind.issue();
    await writeFileAtomic(kind.path, formatCredential(issued));
    return issued;
  }

  function isGood({ chain }: Credential, kind: Kind): boolean {
    const certificate = new X509Certificate(chain);
    const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
    const now = clock.now();
    // With an unset clock nothing is known of dates, and a new certificate would be wrong for everyone else.
    const isInTime = !clock.isTrusted() || (from <= now && to - now > Math.min(RENEWAL_MS, (to - from) / 3));
    return isInTime && certificate.verify(caKey) && kind.isWanted(chain);
  }

  return {
    tls: () => tls,
    mqtt: () => mqtt,
    renew: async () => {
      const before = { tls, mqtt };
      tls = await ensure(tlsKind, tls);
      mqtt = await ensure(mqttKind, mqtt);
      return { tls: tls !== before.tls, mqtt: mqtt !== before.mqtt };
    },
  };
}

/** Undefined when the file is absent or damaged: unlike the other keys, this one can simply be made again. */
async function readCredential(path: string): Promise<Credential | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const credential = parseCredential(text, path);
    return new X509Certificate(credential.chain).checkPrivateKey(parseKey(credential.key))
      ? credential
      : undefined;
  } catch {
    return undefined;
  }
}
