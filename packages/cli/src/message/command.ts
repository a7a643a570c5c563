import type { Command } from 'commander';
import type { DecodeOptions } from './run.ts';

const DECODE_HELP = `
HEX can be upper or lower case, with white space anywhere. Files and standard
input hold hex or the bytes themselves. --open takes an RSA private key, or the
X25519 one that belongs to an Ed25519 or ML-DSA-65 key; the latter also needs
--recipient. A message whose signature is invalid is not opened.

Examples:
  $ srup message decode 0504...
  $ srup message decode --key server.pub.pem m.hex
  $ mosquitto_sub ... -F %x | srup message decode
  $ srup message decode --batch < lines > answers

A line of a batch is {"id"?, "hex", "publicKeyPem"?, "openKeyPem"?,
"recipient"?}. An answer has "id", "ok", "edition", "type", "sequence",
"sender", "token" or "tokenHex", "body" and "signature" ("valid", "invalid",
"unchecked"), "opened" or "openedHex" if a field was opened, and "code" and
"message" if "ok" is false. Ids and sequences are decimal text; bytes are hex
under a name that ends with Hex.

Exit codes: 0 the message is valid; 1 it is refused; 2 wrong use. A batch that
reaches its end is 0.`;

const ENCODE_HELP = `
The input is one JSON object:
  {"type": "ACTION", "sequence": "42", "sender": "0xb9d077e223834cf6",
   "token": "T1", "body": {"actionId": 4},
   "privateKeyPem": "-----BEGIN PRIVATE KEY-----..."}

"token" and byte fields are text, or hex under a name that ends with Hex. Ids
are decimal, or hex after 0x. With "recipientPublicKeyPem" (RSA, or X25519
together with "recipient") the value of the sealed field is sealed; without it,
the value counts as sealed already. "terminatedText": true ends url and digest
with a NUL, as pySRUP does.

Examples:
  $ srup message encode < action.json
  $ srup message encode --batch < lines > answers

An answer has "id", "ok", "hex" and "signedHex" (the bytes that the signature
covers), or "code" and "message". A batch has one object a line, and answers in
the same order.

Exit codes: 0 done; 2 wrong use. A batch that reaches its end is 0.`;

/** Adds `srup message`, which shows and makes messages offline. */
export function addMessageCommand(program: Command): void {
  const message = program.command('message').description('show SRUP messages, and make them');

  message
    .command('decode')
    .description('show a message byte by byte; verify it and open it with keys')
    .argument('[source]', 'HEX, a FILE, or - for standard input', '-')
    .option('-k, --key <file>', 'public key of the sender (PEM), to check the signature')
    .option('-o, --open <file>', 'private key of the recipient (PEM), to open a sealed field')
    .option('-r, --recipient <id>', 'id of the recipient: decimal, or hex after 0x')
    .option('-j, --json', 'print JSON')
    .option('-b, --batch', 'read and write JSON lines, in the same order')
    .addHelpText('after', DECODE_HELP)
    .action(async (source: string, options: DecodeOptions) => {
      const { runDecode } = await import('./run.ts');
      await runDecode(source, options);
    });

  message
    .command('encode')
    .description('make a signed message from JSON')
    .argument('[source]', 'a FILE, or - for standard input', '-')
    .option('-b, --batch', 'read and write JSON lines, in the same order')
    .addHelpText('after', ENCODE_HELP)
    .action(async (source: string, options: { batch?: true }) => {
      const { runEncode } = await import('./run.ts');
      await runEncode(source, options);
    });
}
