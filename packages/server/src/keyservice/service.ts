/** The key service (P 8): a device makes its identity and keys itself; the service vouches for the public part. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { checkProof, pemToBody, proveText } from '@srup/node';
import { identityText, parseIdentity, type Identity, type SuiteName } from '@srup/protocol';
import type { Enrolment } from '../contract.ts';
import { openStore } from '../store/store.ts';
import { openCertificates } from './certificates.ts';
import { openCodes } from './codes.ts';
import type { KeyService, KeyServiceOptions } from './contract.ts';
import { answer, refuse, type Answer } from './faults.ts';
import { findActive, findRow, isExpired, readKeys, takeIdentity } from './registration.ts';
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
import { keyServiceMigrations, type KeyServiceTables } from './tables.ts';

/** What a server's key is answered for when no suite is named: that of the published clients. */
const INTEROP_SUITE: SuiteName = 'rsa-sha256';

/** Opens the key service's database, brings the CRL up to date, and is ready. */
export async function openKeyService(options: KeyServiceOptions): Promise<KeyService> {
  const { folder, authority, clock, keys, serverKeys } = options;
  const server = identityText(options.serverId);
  const store = await openPrivateStore(join(folder, 'identities.sqlite'));
  const certificates = await openCertificates({ store, folder, authority, clock, onCrl: options.onCrl });

  async function isOpen(): Promise<boolean> {
    const row = await store
      .selectFrom('settings')
      .select('value')
      .where('name', '=', 'registration')
      .executeTakeFirst();
    return row?.value !== 'closed';
  }

  async function setOpen(wanted: boolean): Promise<void> {
    const value = wanted ? 'open' : 'closed';
    await store
      .insertInto('settings')
      .values({ name: 'registration', value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
  }

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
    if (!(await isOpen())) return CLOSED;
    const enrolled = await enrol(request, options.requireCode);
    if (!enrolled.ok) return enrolled;
    const { signing, sealing } = serverKeys[enrolled.value];
    return answer({
      broker: options.brokerUrl(),
      key: toBase64(signing),
      default_c2: server,
      ...(sealing !== undefined && { sealKey: toBase64(sealing) }),
      service_key: toBase64(keys[enrolled.value].signing.publicPem),
    });
  }

  async function validate({ identity, signature }: ValidateRequest): Promise<Answer<ValidateAnswer>> {
    const found = await findActive(store, identity, clock.now());
    if (!found.ok) return found;
    const { public_pem, suite } = found.value;
    if (!checkProof(public_pem, identity, signature)) return BAD_SIGNATURE;
    // A repetition, after a lost answer, changes nothing and is answered again.
    await store
      .updateTable('identities')
      .set({ state: 'validated' })
      .where('id', '=', identity)
      .where('state', '=', 'registered')
      .execute();
    return answer({ identity: server, signature: proveText(keys[suite].signing.privatePem, server) });
  }

  /** Also renews: the proof is by the SRUP key, so a device that slept past its certificate's end gets a new one. */
  async function access({ identity, csr, signature }: AccessRequest): Promise<Answer<AccessAnswer>> {
    const found = await findActive(store, identity, clock.now());
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
    const recorded = await store.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('identities')
        .set({ state: 'certified', expires_at: null })
        .where('id', '=', identity)
        .where('state', '!=', 'revoked') // which may have happened meanwhile
        .executeTakeFirst();
      return numUpdatedRows > 0n ? await certificates.record(trx, number, issued.certificate) : 'revoked';
    });
    if (recorded === 'revoked') return refuse('revoked', `the identity ${identity} was revoked (P 10.8)`);
    if (recorded === 'others-revoked') await certificates.publishCrl();
    return answer({
      certificate: toBase64(issued.certificate.pem),
      CA_certificate: toBase64(authority.caPem),
    });
  }

  async function keyOf(identity: string, suite?: SuiteName): Promise<Answer<string>> {
    if (identity === server) return answer(toBase64(serverKeys[suite ?? INTEROP_SUITE].signing));
    const row = await findRow(store, identity);
    if (row?.state === 'revoked') return refuse('gone', `the identity ${identity} was revoked (P 10.8)`);
    const isProven = row?.state === 'validated' || row?.state === 'certified';
    if (!isProven || isExpired(row, clock.now()) || (suite ?? row.suite) !== row.suite) return NOT_FOUND;
    return answer(toBase64(row.public_pem));
  }

  async function typeOf(identity: string): Promise<Answer<string>> {
    if (identity === server) return answer(C2_TYPE);
    const row = await findRow(store, identity);
    return row === undefined || isExpired(row, clock.now()) ? NOT_FOUND : answer(row.type);
  }

  async function isC2(identity: string): Promise<boolean> {
    const row = await findRow(store, identity);
    return (
      identity === server ||
      (row?.type === C2_TYPE && row.state !== 'revoked' && !isExpired(row, clock.now()))
    );
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
      broker: options.brokerUrl(),
      key: pemToBody(keys[enrolled.value].signing.publicPem),
    });
  }

  async function find(id: Identity): Promise<Enrolment | undefined> {
    const row = await findRow(store, identityText(id));
    if (row === undefined || isExpired(row, clock.now()) || row.public_pem === '') return undefined;
    const { type, suite, public_pem: publicPem, seal_pem: sealPem, state } = row;
    return { id, type, suite, publicPem, state, ...(sealPem !== null && { sealPem }) };
  }

  /** Commits, then tells: when it fails in between, calling it again does the rest. */
  async function revoke(id: Identity): Promise<void> {
    const known = await store.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('identities')
        .set({ state: 'revoked', expires_at: null })
        .where('id', '=', identityText(id))
        .executeTakeFirst();
      await certificates.revokeAll(trx, id);
      return numUpdatedRows > 0n;
    });
    if (!known) return;
    await certificates.publishCrl();
    await options.onRevoked(id);
  }

  return {
    status: async () => ({ active: await isOpen(), identity: server }),
    register,
    validate,
    access,
    keyOf,
    typeOf,
    isC2,
    registerC2,
    setOpen,
    find,
    revoke,
    codes: openCodes(store, clock, options.random),
    isAllowed: async (id) => (await findRow(store, identityText(id)))?.state === 'certified',
    crl: () => certificates.crl(),
    close: () => store.destroy(),
  };
}

const CLOSED = refuse(
  'closed',
  'this key service takes no registrations now: ask the operator, or try later',
);
const NOT_FOUND = refuse('not-found', 'no such identity has proven its key here');
const BAD_SIGNATURE = refuse(
  'bad-signature',
  'the signature is not by the registered key: RSA-PSS with SHA-256 and the longest salt, Ed25519 or ML-DSA-65 (P 8.2)',
);

async function openPrivateStore(file: string): Promise<Kysely<KeyServiceTables>> {
  await (await open(file, 'a', 0o600)).close(); // SQLite gives its other files the same permissions
  return openStore<KeyServiceTables>(file, keyServiceMigrations);
}

function toBase64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}
