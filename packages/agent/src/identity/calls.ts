/** The calls to a key service (P 8). Each checks the answer. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import {
  checkProof,
  importVerifyKey,
  pemToBody,
  proveText,
  undatedBy,
  type KeySet,
  type Secret,
} from '@srup/node';
import { parseIdentity, type Clock } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import { AgentError, reasonOf } from '../ground/trouble.ts';
import { makeCsr } from './csr.ts';
import type { Progress } from './progress.ts';
import type { Answer, KeyService } from './service.ts';
import { explainClock, explainReference, explainStatus } from './passing-trouble.ts';

const BROKER_PORT = 8883;

const identity = v.pipe(
  v.string(),
  v.check((text) => parseIdentity(text) !== undefined, 'is not an identity'),
);
/** A PEM text as base64, which can have line breaks (P 8.1). */
const pem = v.pipe(
  v.string(),
  v.transform((base64) => Buffer.from(base64, 'base64').toString('latin1')),
  v.startsWith('-----BEGIN '),
);

export async function askStatus(
  service: KeyService,
): Promise<{ active: boolean; identity: string; broker?: string | undefined }> {
  const answer = await service.call('GET', '/register/status');
  return read(
    service,
    'status',
    answer,
    v.object({ active: v.boolean(), identity, broker: v.optional(v.string()) }),
  );
}

export interface Registration {
  readonly server: string;
  readonly serverPem: string;
  /** Absent for a reference service: it tells nobody its own key. */
  readonly servicePem?: string;
  readonly broker: string;
}

/** `taken`: the service knows this id already. */
export async function askRegistration(
  service: KeyService,
  { id, type, suite }: Pick<Progress, 'id' | 'type' | 'suite'>,
  keys: KeySet,
  config: Pick<AgentConfig, 'enrolmentCode' | 'insecurePlainMqtt' | 'referenceServer'>,
): Promise<Registration | 'taken'> {
  const answer = await service.call('POST', '/register/register', {
    identity: id,
    key: pemToBody(keys.signing.publicPem),
    type,
    ...(keys.sealing && { sealKey: pemToBody(keys.sealing.publicPem) }),
    ...(config.enrolmentCode !== undefined && { code: config.enrolmentCode }),
  });
  if (answer.status === 409) return 'taken';
  if (config.referenceServer && isTakenAtReference(answer)) return 'taken';
  const body = read(
    service,
    'register',
    answer,
    v.object({
      broker: v.string(),
      broker_url: v.exactOptional(v.string()),
      key: pem,
      default_c2: identity,
      service_key: v.exactOptional(pem),
    }),
  );
  if (body.service_key === undefined && !config.referenceServer) throw explainReference(service.url);
  for (const key of [body.key, body.service_key ?? body.key]) {
    const found = verifyKeyOf(service, key);
    if (found !== suite) throw unfit(service, 'register', `its key is of suite ${found}, not ${suite}`);
  }
  return {
    server: body.default_c2,
    serverPem: body.key,
    ...(body.service_key !== undefined && { servicePem: body.service_key }),
    broker: brokerUrl(service, body.broker_url ?? body.broker, config.insecurePlainMqtt),
  };
}

/** A reference service says so in words only, and uses the same status for every mistake. */
function isTakenAtReference({ status, said }: Answer): boolean {
  return status === 400 && said.includes('already exists');
}

/**
 * Both sides prove that they hold their keys (P 8.2). A reference service proves itself by TLS only. `gone`: the service
 * no longer knows the registration.
 */
export async function askValidation(
  service: KeyService,
  { id, servicePem }: { readonly id: string; readonly servicePem?: string | undefined },
  keys: KeySet,
  config: Pick<AgentConfig, 'referenceServer'>,
): Promise<'done' | 'gone'> {
  const answer = await service.call('POST', '/register/validate', {
    identity: id,
    signature: proveText(keys.signing.privatePem, id),
  });
  if (isGone(answer)) return 'gone';
  const body = read(service, 'validate', answer, v.object({ identity, signature: v.string() }));
  if (servicePem === undefined) {
    if (!config.referenceServer) throw explainReference(service.url);
  } else if (!checkProof(servicePem, body.identity, body.signature)) {
    throw unfit(service, 'validate', 'it does not prove that it holds its key');
  }
  return 'done';
}

export interface Access {
  readonly certificate: string;
  readonly ca: string;
}

/** Asks for a certificate for TLS. */
export async function askAccess(
  service: KeyService,
  id: string,
  keys: KeySet,
  tlsKey: Secret,
  clock: Clock,
): Promise<Access | 'gone'> {
  const csr = makeCsr(id, tlsKey);
  const answer = await service.call('POST', '/register/access', {
    identity: id,
    csr: Buffer.from(csr).toString('base64'),
    signature: proveText(keys.signing.privatePem, csr),
  });
  if (isGone(answer)) return 'gone';
  const body = read(service, 'access', answer, v.object({ certificate: pem, CA_certificate: pem }));
  checkCertificate(service, body.certificate, body.CA_certificate, id, tlsKey, clock);
  return { certificate: body.certificate, ca: body.CA_certificate };
}

function isGone({ status }: Answer): boolean {
  return status === 404 || status === 409 || status === 410;
}

function checkCertificate(
  service: KeyService,
  certPem: string,
  caPem: string,
  id: string,
  key: Secret,
  clock: Clock,
): void {
  let certificate: X509Certificate;
  let ca: X509Certificate;
  try {
    certificate = new X509Certificate(certPem);
    ca = new X509Certificate(caPem);
  } catch (error) {
    throw unfit(service, 'access', `a certificate can't be read: ${reasonOf(error)}`);
  }
  if (!certificate.subject.split('\n').includes(`CN=${id}`))
    throw unfit(service, 'access', 'the certificate is for another id');
  const own = createPublicKey(createPrivateKey(key.reveal()));
  if (!certificate.publicKey.equals(own))
    throw unfit(service, 'access', 'the certificate is for another key');
  if (!certificate.verify(ca.publicKey))
    throw unfit(service, 'access', 'the certificate is not signed by the CA');
  if (undatedBy(clock, caPem) !== undefined) return; // a clock that is not set can't check dates
  const now = clock.now();
  const isValid = now >= certificate.validFromDate.getTime() && now <= certificate.validToDate.getTime();
  if (!isValid) throw explainClock(service.url, now);
}

function verifyKeyOf(service: KeyService, keyPem: string): string {
  try {
    return importVerifyKey(keyPem.replaceAll('\r', '')).suite;
  } catch (error) {
    throw unfit(service, 'register', reasonOf(error));
  }
}

/**
 * The URL of the broker from `host`, `host:port` or a URL, as key services write it. A reference service writes
 * `mqtt://` and means TLS (P 7.1). `plain`: `mqtt://` means MQTT without TLS.
 */
export function brokerUrl(service: KeyService, text: string, plain: boolean): string {
  const url = URL.parse(text.includes('://') ? text : `mqtts://${text}`);
  if (url === null || url.hostname === '')
    throw unfit(service, 'register', 'the address of the broker makes no sense');
  const scheme = plain && url.protocol === 'mqtt:' ? 'mqtt' : 'mqtts';
  return `${scheme}://${url.hostname}:${url.port === '' ? BROKER_PORT : url.port}`;
}

function read<Schema extends v.GenericSchema>(
  service: KeyService,
  call: string,
  answer: Answer,
  schema: Schema,
): v.InferOutput<Schema> {
  if (answer.status < 200 || answer.status > 299) {
    throw explainStatus(service.url, call, answer.status, answer.said, answer.retryAfterMs);
  }
  const result = v.safeParse(schema, answer.body);
  if (!result.success) {
    const mistakes = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
    throw unfit(service, call, mistakes.join('; '));
  }
  return result.output;
}

function unfit(service: KeyService, call: string, why: string): AgentError {
  return new AgentError(
    `the answer of ${service.url} to ${call} can't be used: ${why}`,
    'Is this address a SRUP key service, and does it speak the version of this agent?',
  );
}
