import { importSealKey, within, type Delay } from '@srup/node';
import {
  compose,
  confirmsCommands,
  parseIdentity,
  tokenKey,
  type Addressee,
  type Draft,
  type Identity,
  type Signed,
  type SignKey,
  type SuiteName,
} from '@srup/protocol';
import { isSealing } from './draft.ts';
import type { DeviceRow } from '../store/schema/devices.ts';
import type { NewMessage } from '../store/schema/messages.ts';

/** The columns of a device that decide how a message to it is made. */
export type AddresseeRow = Pick<DeviceRow, 'id' | 'suite' | 'identification' | 'public_pem' | 'seal_pem'>;

/** Makes the bytes of messages to devices. */
export interface Signer {
  /** Numbers, seals and signs a draft. Rejects when the signature takes longer than this many milliseconds. */
  sign(row: AddresseeRow, draft: Draft, sequence: bigint, timeoutMs: number): Promise<Signed>;
}

export interface SignerPorts {
  readonly serverId: Identity;
  /** The server's key of each suite: to a device it signs with the one of the device's suite (P 4.1). */
  readonly keys: Readonly<Record<SuiteName, SignKey>>;
  readonly delay: Delay;
}

/**
 * Makes the signer of messages to devices.
 *
 * @example
 * const { bytes } = await createSigner({ serverId, keys, delay }).sign(row, draft, 7n, 5_000);
 */
export function createSigner({ serverId, keys, delay }: SignerPorts): Signer {
  return {
    sign: (row, draft, sequence, timeoutMs) => {
      const signing = compose(draft, sequence, serverId, addresseeOf(row, draft), keys[row.suite]);
      return within(delay, timeoutMs, signing, 'the signature did not come');
    },
  };
}

function addresseeOf(row: AddresseeRow, draft: Draft): Addressee {
  const { id, suite, public_pem: signing, seal_pem: sealing } = row;
  return {
    id: parseIdentity(id) as Identity,
    terminatedText: wantsTerminatedText(row),
    // Parsing a key takes longer than most messages do, so it is done only for those that seal.
    ...(isSealing(draft) && {
      sealKey: importSealKey(suite, { signing, ...(sealing !== null && { sealing }) }),
    }),
  };
}

/**
 * Tells whether texts to this device end with a NUL (P 2.5). pySRUP reads a text up to its NUL and, without one, past
 * its end. Its owner chooses what it calls itself, and at first it says nothing; but its keys are RSA. Our agents say
 * that they are ours.
 */
function wantsTerminatedText({ suite, identification }: AddresseeRow): boolean {
  return suite === 'rsa-sha256' && !confirmsCommands(identification ?? '');
}

/**
 * The evidence of a message that is sent: its signed bytes. `at`: ms since 1970.
 *
 * @example
 * const evidence = sentEvidence(device, signed, clock.now());
 */
export function sentEvidence(device: string, { message, bytes }: Signed, at: number): NewMessage {
  const { type, sequence, token } = message;
  return { at, device, direction: 'out', type, sequence: sequence.toString(), token: tokenKey(token), bytes };
}
