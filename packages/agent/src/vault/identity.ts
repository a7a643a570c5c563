import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { makePrivateFolder, Secret, syncFolder, writeFileAtomic, type KeySet } from '@srup/node';
import type { SuiteName } from '@srup/protocol';
import type { Home } from '../ground/home.ts';
import { AgentError, codeOf, reasonOf } from '../ground/trouble.ts';

const id = v.pipe(v.string(), v.regex(/^[1-9a-f][0-9a-f]{0,15}$/));
const suite = v.picklist(['ed25519', 'rsa-sha256', 'ml-dsa-65'] satisfies SuiteName[]);

const identitySchema = v.object({
  /** Ids are hex text (P 2.7). */
  id,
  type: v.string(),
  suite,
  /** URL of the key service. */
  url: v.string(),
  /** The server that this device obeys: the service's default C2 (P 9.7). */
  server: id,
  /** `mqtts://host:port` */
  broker: v.string(),
  enrolledAt: v.number(),
  /** Enrolled with a pySRUP key service: its server does not speak this profile (P 10.6, 10.11). */
  reference: v.exactOptional(v.boolean()),
});

/** The public facts of this device's enrolment. */
export type DeviceIdentity = v.InferOutput<typeof identitySchema>;

/** Everything that a device needs to speak. Private keys are wrapped and leave the process only as signatures. */
export interface Credentials {
  readonly identity: DeviceIdentity;
  readonly keys: KeySet;
  readonly tlsKey: Secret;
  readonly tlsCertificate: string;
  readonly ca: string;
  /** Public key of the server, in this device's suite. PEM. */
  readonly serverPem: string;
}

const FILES = {
  signing: 'signing.key.pem',
  signingPublic: 'signing.pub.pem',
  sealing: 'sealing.key.pem',
  sealingPublic: 'sealing.pub.pem',
  tlsKey: 'tls.key.pem',
  tlsCertificate: 'tls.cert.pem',
  ca: 'ca.pem',
  server: 'server.pub.pem',
} as const;
export type KeyFile = keyof typeof FILES;

export function keyPath(home: Home, file: KeyFile): string {
  return join(home.keys, FILES[file]);
}

/** Stores the keys. They are durable before anybody hears of them. */
export async function saveKeyFile(home: Home, file: KeyFile, pem: string): Promise<void> {
  await makePrivateFolder(home.keys);
  await writeFileAtomic(keyPath(home, file), pem);
}

export async function saveKeys(home: Home, keys: KeySet): Promise<void> {
  await saveKeyFile(home, 'signing', keys.signing.privatePem.reveal());
  await saveKeyFile(home, 'signingPublic', keys.signing.publicPem);
  if (keys.sealing === undefined) return;
  await saveKeyFile(home, 'sealing', keys.sealing.privatePem.reveal());
  await saveKeyFile(home, 'sealingPublic', keys.sealing.publicPem);
}

export async function loadKeys(home: Home, suiteName: SuiteName): Promise<KeySet> {
  const signing = await loadPair(home, 'signing', 'signingPublic');
  if (suiteName === 'rsa-sha256') return { suite: suiteName, signing }; // it seals with its one key pair
  return { suite: suiteName, signing, sealing: await loadPair(home, 'sealing', 'sealingPublic') };
}

/** Reads all private keys of a device. */
export async function loadOwnKeys(
  home: Home,
  suiteName: SuiteName,
): Promise<Pick<Credentials, 'keys' | 'tlsKey'>> {
  return {
    keys: await loadKeys(home, suiteName),
    tlsKey: new Secret(await readKeyFile(home, 'tlsKey')),
  };
}

async function loadPair(home: Home, key: KeyFile, publicKey: KeyFile): Promise<KeySet['signing']> {
  return {
    privatePem: new Secret(await readKeyFile(home, key)),
    publicPem: await readKeyFile(home, publicKey),
  };
}

/** Reads a key. `AgentError` when it is not there, or a damaged disk holds something else. */
export async function readKeyFile(home: Home, file: KeyFile): Promise<string> {
  const path = keyPath(home, file);
  const pem = await readFile(path, 'utf8').catch((error: unknown) => {
    throw brokenIdentity(`${path} can't be read (${reasonOf(error)})`);
  });
  // The parser's message can quote its input, so it is not passed on.
  if (!isWhole(file, pem)) throw brokenIdentity(`what ${path} holds is damaged`);
  return pem;
}

function isWhole(file: KeyFile, pem: string): boolean {
  try {
    if (FILES[file].endsWith('.key.pem')) createPrivateKey(pem);
    else if (FILES[file].endsWith('.pub.pem')) createPublicKey(pem);
    else new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function brokenIdentity(what: string): AgentError {
  return new AgentError(
    `the identity of this device is incomplete: ${what}`,
    'Put the file back, or remove identity.json, keys and state from the home folder to register as another device.',
  );
}

/** The last step of enrolment: from now on the device has an identity. */
export async function saveIdentity(home: Home, identity: DeviceIdentity): Promise<void> {
  await writeFileAtomic(home.identity, `${JSON.stringify(identity, null, 2)}\n`);
}

/** Reads the identity; undefined before enrolment. */
export function readIdentity(home: Home): Promise<DeviceIdentity | undefined> {
  return readJson(home.identity, identitySchema);
}

/** Reads identity, keys and certificates; undefined before enrolment. `AgentError` when they can't be used. */
export async function loadCredentials(home: Home): Promise<Credentials | undefined> {
  const identity = await readIdentity(home);
  if (identity === undefined) return undefined;
  return {
    identity,
    ...(await loadOwnKeys(home, identity.suite)),
    tlsCertificate: await readKeyFile(home, 'tlsCertificate'),
    ca: await readKeyFile(home, 'ca'),
    serverPem: await readKeyFile(home, 'server'),
  };
}

/** Reads a JSON file; undefined when there is none. `AgentError` when the content does not fit the schema. */
export async function readJson<Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
  try {
    return v.parse(schema, JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new AgentError(`${path} can't be used: ${reasonOf(error)}`, 'Put the file back as it was.', error);
  }
}

/** Removes keys, certificates, identity and state. Configuration and software stay. It can be repeated at any point. */
export async function forgetIdentity(home: Home): Promise<void> {
  // The identity goes first: whatever is left then belongs to nobody and is removed at the next start.
  for (const path of [home.identity, home.keys, home.state]) {
    await rm(path, { recursive: true, force: true });
    await syncFolder(home.folder);
  }
}
