/** A program that opens sealed blobs and prints the outcome. mutant.ts runs it without a check. */
import { text } from 'node:stream/consumers';
import { importOpenKey, importSealKey, Secret, type KeySet } from '@srup/node';
import { encodeText, fromHex, parseIdentity, toHex, type Identity, type SuiteName } from '@srup/protocol';

export interface Opening {
  readonly suite: SuiteName;
  readonly signing: { readonly publicPem: string; readonly privatePem: string };
  readonly sealing?: { readonly publicPem: string; readonly privatePem: string };
  /** The id of the recipient, as in the header. */
  readonly recipient: string;
  readonly header: string;
  readonly blobs: readonly string[];
  /** Seals this text for another recipient first, and opens it last. */
  readonly misled?: { readonly recipient: string; readonly text: string };
}

if (import.meta.main) {
  const { suite, signing, sealing, recipient, header, blobs, misled } = JSON.parse(
    await text(process.stdin),
  ) as Opening;
  const contextFor = (id: string) => ({
    recipient: parseIdentity(id) as Identity,
    header: encodeText(header),
  });
  const pair = ({ publicPem, privatePem }: Opening['signing']) => {
    return { publicPem, privatePem: new Secret(privatePem) };
  };
  const keys: KeySet = { suite, signing: pair(signing), ...(sealing && { sealing: pair(sealing) }) };
  const all = blobs.map((hex) => fromHex(hex) as Uint8Array);
  if (misled !== undefined) {
    const sealKey = importSealKey(suite, {
      signing: signing.publicPem,
      ...(sealing && { sealing: sealing.publicPem }),
    });
    all.push(await sealKey.seal(encodeText(misled.text), contextFor(misled.recipient)));
  }
  const ends: string[] = [];
  for (const blob of all) {
    try {
      const opened = await importOpenKey(keys).open(blob, contextFor(recipient));
      ends.push(opened === undefined ? 'refused' : `opened ${toHex(opened)}`);
    } catch (error) {
      ends.push(`threw ${(error as Error).name}`);
    }
  }
  console.log(JSON.stringify(ends));
}
