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

/** What is known of a device, as far as it decides how the device is spoken to. */
export type AddresseeRow = Pick<DeviceRow, 'id' | 'suite' | 'identification' | 'public_pem' | 'seal_pem'>;

/** Makes the bytes of messages to devices. */
export interface Signer {
  /** Numbers, seals and signs. Rejects when the signature does not come within this many milliseconds. */
  sign(row: AddresseeRow, draft: Draft, sequence: bigint, timeoutMs: number): Promise<Signed>;
}

export interface SignerPorts {
  readonly serverId: Identity;
  /** The server's key of each suite: to a device it signs with the one of the device's suite (P 4.1). */
  readonly keys: Readonly<Record<SuiteName, SignKey>>;
  readonly delay: Delay;
}

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
    // Parsing a key costs more than most messages: only those that seal pay for it.
    ...(isSealing(draft) && {
      sealKey: importSealKey(suite, { signing, ...(sealing !== null && { sealing }) }),
    }),
  };
}

/**
 * P 2.5. pySRUP reads a text up to its NUL and, where there is none, past its end. What it says of itself is its
 * owner's to choose, and nothing at first; but its keys are RSA. Our agents say who they are.
 */
function wantsTerminatedText({ suite, identification }: AddresseeRow): boolean {
  return suite === 'rsa-sha256' && !confirmsCommands(identification ?? '');
}

/** What is kept of a message that was sent: the signed bytes. `at`: ms since 1970. */
export function sentEvidence(device: string, { message, bytes }: Signed, at: number): NewMessage {
  const { type, sequence, token } = message;
  return { at, device, direction: 'out', type, sequence: sequence.toString(), token: tokenKey(token), bytes };
}
