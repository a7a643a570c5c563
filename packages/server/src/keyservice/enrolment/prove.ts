/** The steps of an identity that need a proof by its SRUP key: it is validated, then certified (P 8.3, 8.5). */
import { checkProof, proveText } from '@srup/node';
import type { Identity, SuiteName } from '@srup/protocol';
import type { Issued } from '../../authority/issue.ts';
import type { Store, Write } from '../../store/port.ts';
import { recordCertificate } from '../certificates.ts';
import { addKeyEvent } from '../events.ts';
import { answer, refuse, toBase64, type Answer } from '../faults.ts';
import { findActive } from '../identities.ts';
import { prepare } from '../../store/prepared.ts';
import type { AccessAnswer, AccessRequest, ValidateAnswer, ValidateRequest } from '../requests.ts';
import type { KeyServiceTables } from '../tables.ts';
import type { EnrolmentOptions, EnrolmentPorts } from './ports.ts';

export interface Proving {
  validate(request: ValidateRequest): Promise<Answer<ValidateAnswer>>;
  /** Certifies, and renews: the proof is by the SRUP key, so a device whose certificate has expired gets a new one. */
  access(request: AccessRequest): Promise<Answer<AccessAnswer>>;
}

export function createProving(
  { server, keys }: Pick<EnrolmentOptions, 'server' | 'keys'>,
  { store, authority, clock, publish }: EnrolmentPorts,
): Proving {
  const proofs = new Map<SuiteName, string>();

  /** Our own proof. It is always of the same text, so one of each suite is enough: some take milliseconds to make. */
  function ownProof(suite: SuiteName): string {
    const proof = proofs.get(suite) ?? proveText(keys[suite].signing.privatePem, server);
    proofs.set(suite, proof);
    return proof;
  }

  return {
    validate: async ({ identity, signature }) => {
      const found = await findActive(store.read, identity, clock.now());
      if (!found.ok) return found;
      const { public_pem, suite } = found.value;
      if (!checkProof(public_pem, identity, signature)) return BAD_SIGNATURE;
      await markValidated(store, identity);
      return answer({ identity: server, signature: ownProof(suite) });
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
  };
}

const updateValidated = prepare((write: Write<KeyServiceTables>, p: { readonly identity: string }) =>
  write
    .updateTable('identities')
    .set({ state: 'validated' })
    .where('id', '=', p.identity)
    .where('state', '=', 'registered'),
);
const updateCertified = prepare((write: Write<KeyServiceTables>, p: { readonly identity: string }) =>
  write
    .updateTable('identities')
    .set({ state: 'certified', expires_at: null })
    .where('id', '=', p.identity)
    .where('state', '!=', 'revoked'),
);

/** A repetition, after a lost answer, changes nothing. */
async function markValidated(store: Store<KeyServiceTables>, identity: string): Promise<void> {
  await store.commit((write) => updateValidated(write, { identity }));
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
    const { numAffectedRows } = await updateCertified(write, { identity });
    if (numAffectedRows === 0n) return 'revoked';
    const body = { change, serial: certificate.serial };
    await addKeyEvent(write, { kind: 'identity', at, device: identity, body });
    return (await recordCertificate(write, id, certificate, at)) ? 'others-revoked' : 'recorded';
  });
}

const BAD_SIGNATURE = refuse(
  'bad-signature',
  'the signature is not by the registered key: RSA-PSS with SHA-256 and the longest salt, Ed25519 or ML-DSA-65 (P 8.2)',
);
