/** What changes an identity, step by step (P 8.5): registered, validated, certified. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { checkProof, pemToBody, proveText, type KeySet, type PublicPems, type Secret } from '@srup/node';
import { parseIdentity, type Clock, type Identity, type SuiteName } from '@srup/protocol';
import type { Authority } from '../authority/authority.ts';
import type { Issued } from '../authority/issue.ts';
import type { Store } from '../store/port.ts';
import { recordCertificate } from './certificates.ts';
import { addKeyEvent } from './events.ts';
import { answer, refuse, toBase64, type Answer } from './faults.ts';
import { isOpen } from './opening.ts';
import { findActive, readKeys, takeIdentity } from './registration.ts';
import {
  C2_TYPE,
  type AccessAnswer,
  type AccessRequest,
  type C2Answer,
  type C2Request,
  type RegisterAnswer,
  type RegisterRequest,
  type ValidateAnswer,
  type ValidateRequest,
} from './requests.ts';
import type { KeyServiceTables } from './tables.ts';

export interface EnrolmentSteps {
  register(request: RegisterRequest): Promise<Answer<RegisterAnswer>>;
  validate(request: ValidateRequest): Promise<Answer<ValidateAnswer>>;
  /** Certifies, and renews: the proof is by the SRUP key, so a device whose certificate has expired gets a new one. */
  access(request: AccessRequest): Promise<Answer<AccessAnswer>>;
  registerC2(request: C2Request): Promise<Answer<C2Answer>>;
}

export interface EnrolmentOptions {
  readonly serverId: Identity;
  /** The same as text. */
  readonly server: string;
  readonly serverKeys: Readonly<Record<SuiteName, PublicPems>>;
  readonly keys: Readonly<Record<SuiteName, KeySet>>;
  readonly requireCode: boolean;
  readonly c2Token?: Secret;
}

export interface EnrolmentPorts {
  readonly store: Store<KeyServiceTables>;
  readonly authority: Authority;
  readonly brokerUrl: string;
  readonly clock: Clock;
  /** Publishes the revocation list. */
  readonly publish: () => Promise<void>;
}

export function createEnrolment(options: EnrolmentOptions, ports: EnrolmentPorts): EnrolmentSteps {
  const { server, keys, serverKeys } = options;
  const { store, authority, brokerUrl, clock, publish } = ports;

  /** Takes the identity. The answer is the suite that its key belongs to. */
  async function enrol(
    request: Pick<RegisterRequest, 'identity' | 'key' | 'sealKey' | 'code' | 'type'>,
    codeRequired: boolean,
  ): Promise<Answer<SuiteName>> {
    const id = parseIdentity(request.identity);
    if (id === undefined) return refuse('invalid', 'the identity has not the form of P 2.7');
    if (id === options.serverId) return refuse('duplicate', 'this is the identity of the server itself');
    const read = readKeys(request);
    if (!read.ok) return read;
    const wanted = { ...read.value, id, type: request.type, code: request.code };
    const refusal = await takeIdentity(store, wanted, clock.now(), codeRequired);
    return refusal ?? answer(read.value.suite);
  }

  return {
    register: async (request) => {
      if (!(await isOpen(store.read))) return CLOSED;
      const enrolled = await enrol(request, options.requireCode);
      if (!enrolled.ok) return enrolled;
      const { signing, sealing } = serverKeys[enrolled.value];
      return answer({
        ...placeOf(brokerUrl),
        key: toBase64(signing),
        default_c2: server,
        ...(sealing !== undefined && { sealKey: toBase64(sealing) }),
        service_key: toBase64(keys[enrolled.value].signing.publicPem),
      });
    },

    validate: async ({ identity, signature }) => {
      const found = await findActive(store.read, identity, clock.now());
      if (!found.ok) return found;
      const { public_pem, suite } = found.value;
      if (!checkProof(public_pem, identity, signature)) return BAD_SIGNATURE;
      await markValidated(store, identity);
      return answer({ identity: server, signature: proveText(keys[suite].signing.privatePem, server) });
    },

    access: async ({ identity, csr, signature }) => {
      const found = await findActive(store.read, identity, clock.now());
      if (!found.ok) return found;
      const { state, public_pem, number } = found.value;
      if (state === 'registered') {
        return refuse(
          'wrong-state',
          `${identity} has not proven yet that it holds its key: call validate first`,
        );
      }
      const csrPem = Buffer.from(csr, 'base64').toString();
      if (!checkProof(public_pem, csrPem, signature)) return BAD_SIGNATURE;
      const issued = await authority.issueDevice(number, csrPem, public_pem);
      if (!issued.ok) return refuse('invalid-csr', `${issued.message} (${issued.code})`);
      const change = state === 'certified' ? 'renewed' : 'certified';
      const outcome = await certify(store, { id: number, identity, change }, issued.certificate, clock.now());
      if (outcome === 'revoked') return refuse('revoked', `the identity ${identity} was revoked (P 10.8)`);
      if (outcome === 'others-revoked') await publish();
      return answer({
        certificate: toBase64(issued.certificate.pem),
        CA_certificate: toBase64(authority.caPem),
      });
    },

    registerC2: async (request) => {
      const { c2Token } = options;
      const sent = Buffer.from(request.signature, 'base64');
      // Hashed, so that the comparison takes the same time whatever the length.
      if (c2Token === undefined || !timingSafeEqual(sha256(sent), sha256(c2Token.reveal()))) {
        return refuse(
          'forbidden',
          'a C2 server registers here only with the token that the operator gave it',
        );
      }
      const enrolled = await enrol({ ...request, type: C2_TYPE }, false);
      if (!enrolled.ok) return enrolled;
      return answer({
        ...placeOf(brokerUrl),
        key: pemToBody(keys[enrolled.value].signing.publicPem),
      });
    },
  };
}

/** A repetition, after a lost answer, changes nothing. */
async function markValidated(store: Store<KeyServiceTables>, identity: string): Promise<void> {
  await store.commit((write) =>
    write
      .updateTable('identities')
      .set({ state: 'validated' })
      .where('id', '=', identity)
      .where('state', '=', 'registered')
      .execute(),
  );
}

interface Certified {
  readonly id: Identity;
  readonly identity: string;
  readonly change: 'certified' | 'renewed';
}

/** Records a certificate that was issued at this time, in ms since 1970, unless the identity was revoked meanwhile. */
function certify(
  store: Store<KeyServiceTables>,
  { id, identity, change }: Certified,
  certificate: Issued,
  at: number,
): Promise<'recorded' | 'others-revoked' | 'revoked'> {
  return store.commit(async (write) => {
    const { numUpdatedRows } = await write
      .updateTable('identities')
      .set({ state: 'certified', expires_at: null })
      .where('id', '=', identity)
      .where('state', '!=', 'revoked')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return 'revoked';
    const body = { change, serial: certificate.serial };
    await addKeyEvent(write, { kind: 'identity', at, device: identity, body });
    return (await recordCertificate(write, id, certificate, at)) ? 'others-revoked' : 'recorded';
  });
}

const CLOSED = refuse(
  'closed',
  'this key service takes no registrations now: ask the operator, or try later',
);
const BAD_SIGNATURE = refuse(
  'bad-signature',
  'the signature is not by the registered key: RSA-PSS with SHA-256 and the longest salt, Ed25519 or ML-DSA-65 (P 8.2)',
);

/** P 7.1. */
const REFERENCE_PORT = '8883';

/**
 * Where the broker is, in two forms. pySRUP cuts `mqtt://` off, takes the rest for a host name, and speaks TLS with its
 * port 8883 (interop); a client that can read a URL gets the true one beside it.
 */
function placeOf(url: string): { broker: string; broker_url: string } {
  const { hostname, port } = new URL(url);
  const place = port === '' || port === REFERENCE_PORT ? hostname : `${hostname}:${port}`;
  return { broker: `mqtt://${place}`, broker_url: url };
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}
