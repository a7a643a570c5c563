/** What is fuzzed: how inputs are made, what is done to them, and what must be true of every result. */
import { isDeepStrictEqual } from 'node:util';
import {
  decode,
  decode2016,
  encode,
  encode2016,
  encodeText,
  fromJsonForm,
  MAX_MESSAGE_BYTES,
  toJsonForm,
  type Decoded,
  type Message2016,
  type OpenKey,
  type Result,
  type SealContext,
} from '@srup/protocol';
import { mutate, randomMessageBytes, type SeededRandom } from '@srup/protocol/testing';
import { generateKeys, importOpenKey, importSealKey } from '@srup/node';
import { bytesOf, SESSION, V5 } from '../vectors/files.ts';

/** A code of a refusal, or how an accepted input was found to be right. Any other outcome throws. */
export type Verdict = string;

export interface Target<Input = unknown, Read = unknown> {
  readonly name: string;
  /** How many of a thousand inputs are for this target. */
  readonly share: number;
  /** Whether no `read` may be slow; one that ends in a private-key operation is not judged. */
  readonly timed: boolean;
  make(random: SeededRandom): Input;
  /** What is tested: it refuses or accepts, and never throws. */
  read(input: Input): Read | Promise<Read>;
  /** Throws unless the result is as it must be. */
  judge(input: Input, result: Read): Verdict;
}

function sameBytes(first: Uint8Array, second: Uint8Array): boolean {
  return Buffer.compare(first, second) === 0;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Every decoded message gives back the very bytes that it came from, and signs what was signed. */
function judgeDecoded(bytes: Uint8Array, result: Result<Decoded>): Verdict {
  if (!result.ok) return result.code;
  const { message, signature } = result.value;
  const encoded = encode(message);
  must(sameBytes(encoded.assemble(signature), bytes), 'the message is encoded to other bytes');
  must(sameBytes(encoded.signedBytes, result.value.signedBytes()), 'the signed bytes are others');
  return 'exact round trip';
}

const RECORDED = [
  ...V5.vectors,
  ...V5.negative,
  ...SESSION.mqtt.filter(({ event }) => event === 'publish'),
].map(({ hex }) => bytesOf(hex));

/** Noise of any length up to beyond the limit, half of it behind a plausible beginning. */
function noise(random: SeededRandom): Uint8Array {
  const length = random.chance(0.0005) ? random.below(MAX_MESSAGE_BYTES + 100) : random.below(200);
  const bytes = random.bytes(length);
  if (random.chance(0.5)) {
    bytes.set([5, random.below(0x30)].slice(0, length));
    bytes.set([0, random.below(40)].slice(0, Math.max(0, length - 18)), Math.min(18, length));
  }
  return bytes;
}

const LARGE = ['a', 'é', '✓', '😀', 'a✓', 'é\0', 'aaaaaaaaaaaaaaaaé'];

/** As long as a message may be, in texts that cost the most to read. */
function large(random: SeededRandom): Uint8Array {
  const unit = random.pick(LARGE);
  const room = MAX_MESSAGE_BYTES - 200 - random.below(300);
  const text = encodeText(unit.repeat(Math.floor(room / encodeText(unit).length)));
  const data = random.chance(0.5) ? { dataId: '', data: text } : { dataId: 'd', data: text };
  const token = random.bytes(16);
  const draft = { type: 'DATA', sequence: 1n, sender: 1n, token, body: data } as const;
  const bytes = encode(draft).assemble(random.bytes(64));
  bytes[1] = random.pick([0x01, 0x05, 0x14]); // read as two cstrings, text and bytes, one text
  return damaged(bytes, random, 1);
}

const CORPUS = 2000;

/** Valid messages of every type, slowly renewed: making one costs more than decoding it. */
function createCorpus(): (random: SeededRandom) => Uint8Array {
  const corpus: Uint8Array[] = [];
  return (random) => {
    if (corpus.length < CORPUS || random.chance(0.02)) {
      const made = randomMessageBytes(random);
      if (corpus.length < CORPUS) corpus.push(made);
      else corpus[random.below(CORPUS)] = made;
      return made;
    }
    return random.pick(corpus);
  };
}

function damaged(bytes: Uint8Array, random: SeededRandom, most: number): Uint8Array {
  let result = bytes;
  for (let left = random.below(most + 1); left > 0; left--) result = mutate(result, random);
  return result;
}

/** Values that a field of a JSON form may be changed to. */
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  255,
  256,
  '',
  '0',
  '-1',
  '01',
  'a',
  '\0',
  '\ud800',
  '=',
  'AA',
  'AB',
  'AA==',
  '18446744073709551616',
  'ffffffffffffffff',
  [],
  {},
  [''],
  { length: 1 },
  'A'.repeat(400),
];
const ODD_KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'srup',
  'type',
  'body',
  'token',
  'terminatedText',
  'url',
  '',
];

function damagedForm(form: unknown, random: SeededRandom): unknown {
  if (typeof form !== 'object' || form === null || random.chance(0.2)) return random.pick(ODD_VALUES);
  const entries: [string, unknown][] = Object.entries(form);
  const at = random.below(entries.length + 1);
  const [key, value]: [string, unknown] = entries[at] ?? [random.pick(ODD_KEYS), random.pick(ODD_VALUES)];
  if (random.chance(0.15)) return Object.fromEntries(entries.filter(([name]) => name !== key));
  const inner = random.chance(0.5) ? damagedForm(value, random) : random.pick(ODD_VALUES);
  return Object.fromEntries([...entries, [random.chance(0.1) ? random.pick(ODD_KEYS) : key, inner]]);
}

/** Whatever `JSON.parse` may give: forms as they are, forms with odd parts, texts with damage that still parse. */
function jsonForms(): (random: SeededRandom) => unknown {
  const message = createCorpus();
  return (random) => {
    const decoded = decode(message(random));
    if (!decoded.ok) throw new Error('the corpus holds a message that is refused');
    const form = JSON.parse(JSON.stringify(toJsonForm(decoded.value))) as unknown;
    if (random.chance(0.3)) return form;
    if (random.chance(0.5)) return damagedForm(form, random);
    const text = Buffer.from(damaged(encodeText(JSON.stringify(form)), random, 2)).toString();
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  };
}

function judgeForm(value: unknown, result: Result<Decoded>): Verdict {
  if (!result.ok) return result.code;
  const form = JSON.parse(JSON.stringify(toJsonForm(result.value))) as unknown;
  must(isDeepStrictEqual(form, value), 'the form is written otherwise');
  return judgeDecoded(result.value.bytes, result);
}

function judge2016(bytes: Uint8Array, result: Result<Message2016>): Verdict {
  if (!result.ok) return result.code;
  must(sameBytes(encode2016(result.value), bytes), 'the message of 2016 is encoded to other bytes');
  return 'exact round trip';
}

function make2016(random: SeededRandom): Uint8Array {
  const bytes = (count: number) => random.bytes(random.below(count));
  const body = { target: bytes(8), token: bytes(20), url: bytes(40), digest: bytes(40) };
  return damaged(encode2016({ type: 'INITIATE', signature: bytes(64), body }), random, 2);
}

const PLAINTEXT = encodeText('636dd7ad8c004d09b2c391d0cc3aa2b0');
const CONTEXT: SealContext = { recipient: 0x27ab54d670b64be2n, header: encodeText('header') };

/** Damage to lengths and sizes, which costs no private-key operation; now and then to anything. */
async function sealedTarget(suite: 'rsa-sha256' | 'ed25519', share: number): Promise<Target> {
  const keys = await generateKeys(suite);
  const { signing, sealing } = keys;
  const sealKey = importSealKey(suite, {
    signing: signing.publicPem,
    ...(sealing && { sealing: sealing.publicPem }),
  });
  const openKey: OpenKey = importOpenKey(keys);
  const sealed = await sealKey.seal(PLAINTEXT, CONTEXT);
  const shape = (random: SeededRandom): Uint8Array => {
    if (random.chance(0.3)) return random.bytes(random.below(400));
    const cut = sealed.slice(0, random.below(sealed.length));
    if (suite !== 'rsa-sha256' || random.chance(0.3)) return cut;
    const other = sealed.slice();
    const at = random.pick([0, 276, 280]); // the three lengths of P 4.3
    new DataView(other.buffer).setInt32(
      at,
      random.pick([-1, 0, 1, random.below(600), 0x7fff_ffff, -0x8000_0000]),
      true,
    );
    return other;
  };
  return target({
    name: `sealed fields, ${suite}`,
    share,
    timed: false,
    make: (random) => (random.chance(0.02) ? damaged(sealed, random, 2) : shape(random)),
    read: (blob) => openKey.open(blob, CONTEXT),
    judge(blob, opened) {
      if (opened === undefined) return 'not opened';
      if (sameBytes(opened, PLAINTEXT)) return 'opened';
      must(!sameBytes(blob, sealed) && suite === 'rsa-sha256', 'the blob opens to another text');
      return 'opened to other bytes (CBC; the signature forbids it)';
    },
  });
}

/** Keeps the types of one target together, and gives them away. */
function target<Input, Read>(one: Target<Input, Read>): Target {
  return one;
}

export async function createTargets(): Promise<Target[]> {
  const structured = createCorpus();
  const bytesTarget = (name: string, share: number, make: (random: SeededRandom) => Uint8Array): Target =>
    target({ name, share, timed: true, make, read: (bytes) => decode(bytes), judge: judgeDecoded });
  return [
    bytesTarget('noise', 250, noise),
    bytesTarget('damaged vectors', 330, (random) => damaged(random.pick(RECORDED), random, 3)),
    bytesTarget('messages of every type, damaged or not', 307, (random) =>
      damaged(structured(random), random, 2),
    ),
    bytesTarget('messages near the limit', 1, large),
    target({
      name: 'JSON forms',
      share: 70,
      timed: true,
      make: jsonForms(),
      read: (form) => fromJsonForm(form),
      judge: judgeForm,
    }),
    target({
      name: 'edition 2016',
      share: 20,
      timed: true,
      make: make2016,
      read: (bytes) => decode2016(bytes),
      judge: judge2016,
    }),
    await sealedTarget('rsa-sha256', 20),
    await sealedTarget('ed25519', 2),
  ];
}
