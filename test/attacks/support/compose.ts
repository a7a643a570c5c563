/** A program that composes HM_JOIN_RESP and prints its bytes. mutant.ts runs it without a check. */
import { text } from 'node:stream/consumers';
import { importSealKey, importSignKey, Secret } from '@srup/node';
import { compose, encodeText, parseIdentity, toHex, type Identity, type SuiteName } from '@srup/protocol';

export interface Composing {
  readonly suite: SuiteName;
  readonly privatePem: string;
  readonly signing: string;
  readonly sealing?: string;
  readonly recipient: string;
  readonly nonce: string;
}

if (import.meta.main) {
  const { suite, privatePem, signing, sealing, recipient, nonce } = JSON.parse(
    await text(process.stdin),
  ) as Composing;
  const sealKey = importSealKey(suite, { signing, ...(sealing && { sealing }) });
  const { bytes } = await compose(
    { type: 'HM_JOIN_RESP', token: encodeText('T'), body: { sealedNonce: encodeText(nonce) } },
    1n,
    9n,
    { id: parseIdentity(recipient) as Identity, sealKey },
    importSignKey(new Secret(privatePem)),
  );
  console.log(JSON.stringify(toHex(bytes)));
}
