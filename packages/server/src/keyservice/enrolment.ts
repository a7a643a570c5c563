/** What changes an identity, step by step (P 8.5): registered, validated, certified. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { checkProof, pemToBody, proveText } from '@srup/node';
import { parseIdentity, type SuiteName } from '@srup/protocol';
import type { Inside, KeyService } from './contract.ts';
import { answer, refuse, type Answer } from './faults.ts';
import { findActive, readKeys, takeIdentity } from './registration.ts';
import { addKeyEvent } from './events.ts';
import { isOpen } from './opening.ts';
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

export function createEnrolment({
  options,
  store,
  certificates,
  server,
}: Inside): Pick<KeyService, 'register' | 'validate' | 'access' | 'registerC2'> {
  const { authority, clock, keys, serverKeys } = options;

  /** Takes the identity and gives the suite that its key belongs to. */
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

  async function register(request: RegisterRequest): Promise<Answer<RegisterAnswer>> {
    if (!(await isOpen(store.read))) return CLOSED;
    const enrolled = await enrol(request, options.requireCode);
    if (!enrolled.ok) return enrolled;
    const { signing, sealing } = serverKeys[enrolled.value];
    return answer({
      ...whereBrokerIs(options.brokerUrl()),
      key: toBase64(signing),
      default_c2: server,
      ...(sealing !== undefined && { sealKey: toBase64(sealing) }),
      service_key: toBase64(keys[enrolled.value].signing.publicPem),
    });
  }

  async function validate({ identity, signature }: ValidateRequest): Promise<Answer<ValidateAnswer>> {
    const found = await findActive(store.read, identity, clock.now());
    if (!found.ok) return found;
    const { public_pem, suite } = found.value;
    if (!checkProof(public_pem, identity, signature)) return BAD_SIGNATURE;
    // A repetition, after a lost answer, changes nothing and is answered again.
    await store.commit((trx) =>
      trx
        .updateTable('identities')
        .set({ state: 'validated' })
        .where('id', '=', identity)
        .where('state', '=', 'registered')
        .execute(),
    );
    return answer({ identity: server, signature: proveText(keys[suite].signing.privatePem, server) });
  }

  /** Also renews: the proof is by the SRUP key, so a device that slept past its certificate's end gets a new one. */
  async function access({ identity, csr, signature }: AccessRequest): Promise<Answer<AccessAnswer>> {
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
    const recorded = await store.commit(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('identities')
        .set({ state: 'certified', expires_at: null })
        .where('id', '=', identity)
        .where('state', '!=', 'revoked') // which may have happened meanwhile
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return 'revoked';
      const body = {
        change: state === 'certified' ? 'renewed' : 'certified',
        serial: issued.certificate.serial,
      } as const;
      await addKeyEvent(trx, { kind: 'identity', at: clock.now(), device: identity, body });
      return certificates.record(trx, number, issued.certificate);
    });
    if (recorded === 'revoked') return refuse('revoked', `the identity ${identity} was revoked (P 10.8)`);
    if (recorded === 'others-revoked') await certificates.publishCrl();
    return answer({
      certificate: toBase64(issued.certificate.pem),
      CA_certificate: toBase64(authority.caPem),
    });
  }

  async function registerC2(request: C2Request): Promise<Answer<C2Answer>> {
    const { c2Token } = options;
    const sent = Buffer.from(request.signature, 'base64');
    if (c2Token === undefined || !timingSafeEqual(sha256(sent), sha256(c2Token.reveal()))) {
      return refuse('forbidden', 'a C2 server registers here only with the token that the operator gave it');
    }
    const enrolled = await enrol({ ...request, type: C2_TYPE }, false);
    if (!enrolled.ok) return enrolled;
    return answer({
      ...whereBrokerIs(options.brokerUrl()),
      key: pemToBody(keys[enrolled.value].signing.publicPem),
    });
  }

  return { register, validate, access, registerC2 };
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
 * pySRUP cuts `mqtt://` off, takes the rest for a host name, and speaks TLS with its port 8883 (interop). Who can read
 * a URL is given the true one beside it.
 */
function whereBrokerIs(url: string): { broker: string; broker_url: string } {
  const { hostname, port } = new URL(url);
  const place = port === '' || port === REFERENCE_PORT ? hostname : `${hostname}:${port}`;
  return { broker: `mqtt://${place}`, broker_url: url };
}

/** PEM as the answers carry it. */
export function toBase64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}
