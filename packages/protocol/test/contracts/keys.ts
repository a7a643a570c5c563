/** What every set of keys keeps to: those of the real suites and those of tests. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  SUITES,
  type OpenKey,
  type SealContext,
  type SealKey,
  type SignKey,
  type SuiteName,
  type VerifyKey,
} from '../../src/trust/suite.ts';
import { encodeText } from '../../src/wire/text.ts';

/** The keys of one party. */
export interface PartyKeys {
  readonly sign: SignKey;
  readonly verify: VerifyKey;
  readonly seal: SealKey;
  readonly open: OpenKey;
}

export interface KeysHarness {
  readonly suite: SuiteName;
  /** Keys of a new party. */
  readonly make: () => Promise<PartyKeys> | PartyKeys;
}

const DATA = encodeText('what is signed');
const NONCE = encodeText('636dd7ad8c004d09b2c391d0cc3aa2b0');
const CONTEXT: SealContext = { recipient: 0xb9d077e223834cf6n, header: encodeText('header of the message') };
const ODD_LENGTHS = [0, 1, 63, 64, 65, 255, 256, 257, 3308, 3309, 3310, 65_535];

export function testKeys(name: string, { suite, make }: KeysHarness): void {
  describe(`the contract of keys: ${name}`, () => {
    let own: PartyKeys;
    let other: PartyKeys;
    beforeAll(async () => {
      [own, other] = await Promise.all([make(), make()]);
    });

    test('what one signs, on this thread or aside, its public key verifies', async () => {
      expect([own.sign.suite, own.verify.suite]).toEqual([suite, suite]);
      const { least, most } = SUITES[suite].signatureBytes;
      for (const signature of [own.sign.sign(DATA), await own.sign.signAside(DATA)]) {
        expect(own.verify.verify(DATA, signature)).toBe(true);
        expect(await own.verify.verifyAside(DATA, signature)).toBe(true);
        expect(signature.length >= least && signature.length <= most).toBe(true);
      }
    });

    test('other data, another key, one bit less and every odd length are refused without throwing', async () => {
      const signature = own.sign.sign(DATA);
      const isRefused = async ({ verify }: PartyKeys, data: Uint8Array, given: Uint8Array) => {
        expect([verify.verify(data, given), await verify.verifyAside(data, given)]).toEqual([false, false]);
      };
      await isRefused(own, encodeText('what is signed.'), signature);
      await isRefused(own, new Uint8Array(0), signature);
      await isRefused(other, DATA, signature);
      for (const at of [0, signature.length - 1]) {
        const turned = signature.slice();
        turned[at] = turned[at]! ^ 1;
        await isRefused(own, DATA, turned);
      }
      for (const length of ODD_LENGTHS) await isRefused(own, DATA, new Uint8Array(length));
    });

    test('what is sealed to one is opened by that one, and not by another', async () => {
      for (const plaintext of [NONCE, new Uint8Array(0), new Uint8Array(1_000)]) {
        const sealed = await own.seal.seal(plaintext, CONTEXT);
        expect(await own.open.open(sealed, CONTEXT)).toEqual(plaintext);
        expect(await other.open.open(sealed, CONTEXT)).toBeUndefined();
      }
    });

    test('the plaintext is in no form in what is sealed, and two sealings differ', async () => {
      const [first, second] = [await own.seal.seal(NONCE, CONTEXT), await own.seal.seal(NONCE, CONTEXT)];
      expect(Buffer.from(first).includes(Buffer.from(NONCE))).toBe(false);
      expect(first).not.toEqual(second);
    });

    test('what was cut, lengthened or changed opens to nothing, without throwing (P 4.3)', async () => {
      const sealed = await own.seal.seal(NONCE, CONTEXT);
      const longer = new Uint8Array(sealed.length + 1);
      longer.set(sealed);
      const last = sealed.slice();
      last[last.length - 1] = last.at(-1)! ^ 1;
      const damaged = [longer, last, sealed.subarray(1), sealed.subarray(0, -1), new Uint8Array(0)];
      for (const bytes of [...damaged, new Uint8Array(332), new Uint8Array(80)])
        expect(await own.open.open(bytes, CONTEXT)).toBeUndefined();
    });

    // The reference's way to seal has no place for what it is bound to (P 4.3).
    if (SUITES[suite].sealing === 'hpke-x25519') {
      test('a sealed field belongs to one recipient and one message (P 4.4)', async () => {
        const sealed = await own.seal.seal(NONCE, CONTEXT);
        const elsewhere = [
          { ...CONTEXT, recipient: 1n },
          { ...CONTEXT, header: encodeText('header of a message') },
        ];
        for (const context of elsewhere) expect(await own.open.open(sealed, context)).toBeUndefined();
      });
    }

    test('all of it is plain bytes, whose slices are copies', async () => {
      const sealed = await own.seal.seal(NONCE, CONTEXT);
      const opened = await own.open.open(sealed, CONTEXT);
      for (const bytes of [own.sign.sign(DATA), await own.sign.signAside(DATA), sealed, opened!])
        expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    });
  });
}
