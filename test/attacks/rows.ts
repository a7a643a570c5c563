/** The attacks that this project must withstand: the numbers are those of the tests' file names. */
export interface Row {
  readonly number: number;
  readonly attack: string;
  /** What stops it, with the clauses of docs/profile.md. */
  readonly holds: string;
  /** Whether a broker takes part. If so, the row holds only on the brokers on which it was shown. */
  readonly broker?: true;
  /** Whether it is not built yet. */
  readonly later?: true;
}

export const ROWS: readonly Row[] = [
  {
    number: 1,
    attack: 'arbitrary software',
    holds: 'the server signs what is to be installed; later, release keys that no server holds',
    later: true,
  },
  {
    number: 2,
    attack: 'rollback to software with known holes',
    holds: 'a floor under versions, kept on the device',
    later: true,
  },
  {
    number: 3,
    attack: 'replay: every captured message again, also after a reboot, to a sibling, by another server',
    holds: 'windows of numbers on both sides, finished tokens are remembered (P 5, 6)',
    broker: true,
  },
  {
    number: 4,
    attack: 'freeze: the newest is held back',
    holds: 'a signed "latest is" that expires',
    later: true,
  },
  {
    number: 5,
    attack: 'fast-forward: numbers at their maximum',
    holds: 'bounded jumps, no counter wraps (P 5.1, 5.2)',
    broker: true,
  },
  {
    number: 6,
    attack: 'mix and match, partial bundles',
    holds: 'one signed unit, all or nothing',
    later: true,
  },
  {
    number: 7,
    attack: 'endless data: bodies, archives, fields',
    holds: 'limits on all that grows, counted while it arrives (P 2.4, 10.2)',
    broker: true,
  },
  {
    number: 8,
    attack: 'slow retrieval',
    holds: 'a least rate over a window, and a deadline (P 10.2)',
  },
  {
    number: 9,
    attack: 'drop and denial: the broker is away, or loses what it took',
    holds: 'outboxes on the disks of both ends, waits that end and repeat (P 5.4, 10.10)',
    broker: true,
  },
  {
    number: 10,
    attack: 'software for another kind of device',
    holds: 'the device checks the class it belongs to',
    later: true,
  },
  {
    number: 11,
    attack: 'a key is lost',
    holds: 'roles with keys of their own, thresholds, rotation',
    later: true,
  },
  {
    number: 12,
    attack: 'eavesdropping',
    holds: 'TLS by default; nonces are sealed (P 4, 7.1, 7.5)',
    broker: true,
  },
  {
    number: 13,
    attack: 'redirects and hostile mirrors',
    holds: 'https only, allowed hosts only, the signed digest decides (P 10.2)',
  },
  {
    number: 14,
    attack: 'swap after check: the staged file is replaced before ACTIVATE',
    holds: 'the file is hashed again, from the opened file that is then used (P 10.3)',
  },
  {
    number: 15,
    attack: 'bytes appended to a file, or cut off',
    holds: 'the digest is over the whole file as stored (P 10.2)',
  },
  {
    number: 16,
    attack: 'forged status: somebody else answers, or the last success again',
    holds: 'an answer counts for the open transaction of its very sender (P 6.3)',
    broker: true,
  },
  {
    number: 17,
    attack: 'an observation that is forged, stale or late',
    holds: 'only that observer, for that token (P 9.3)',
    later: true,
  },
  {
    number: 18,
    attack: 'two joins that are pending at once are crossed',
    holds: 'each join has its own token and nonce (P 9.5)',
    later: true,
  },
  {
    number: 19,
    attack: 'sequence poisoning: a huge number that nobody signed',
    holds: 'numbers count only after the signature (P 4.6)',
    broker: true,
  },
  {
    number: 20,
    attack: 'takeover by JOIN_CMD',
    holds: 'a device obeys its own server, for its own id (P 9.7)',
    broker: true,
  },
  {
    number: 21,
    attack: 'registration: a race for an id, an id twice, a certificate for another id, half a registration',
    holds: 'one owner an id, proven by its key; CSR and id agree (P 8.3 to 8.5)',
    broker: true,
  },
  {
    number: 22,
    attack:
      'topics: wildcards, a sibling’s topic, wills, retained messages, kept sessions, the same client id',
    holds: 'the broker’s rules, and the receivers’ own (P 7.3, 7.4)',
    broker: true,
  },
  {
    number: 23,
    attack: 'a revoked identity goes on',
    holds: 'certificate on the list, session ended, nothing taken from it (P 8.3, 10.8)',
    broker: true,
  },
  {
    number: 24,
    attack: 'a guest exceeds the grant',
    holds: 'grants are checked and end (P 13)',
    later: true,
  },
  {
    number: 25,
    attack: 'a clock in 1970 or 2099',
    holds: 'an unset clock judges nothing, and a floor keeps it from going back (P 6.2)',
    broker: true,
  },
  {
    number: 26,
    attack: 'the audit is edited, cut, or rebuilt',
    holds: 'a chain of hashes, signed checkpoints, a witness elsewhere',
  },
  {
    number: 27,
    attack: 'the web: forgery across sites, scripts in a device’s text, other people’s ids, brute force',
    holds: 'roles on every route, limits, no default secret',
    later: true,
  },
  {
    number: 28,
    attack: 'signatures that are none',
    holds: 'one suite a key, exact lengths, checked over the bytes that arrived (P 4)',
  },
  {
    number: 29,
    attack: 'hostile sealed fields',
    holds: 'lengths that all agree, one answer for every failure (P 4.3, 4.4)',
  },
  {
    number: 30,
    attack: 'bytes that break the reader; `npm run fuzz` tries ten million',
    holds: 'a decoder that is total: a code, or an exact round trip (P 2.4)',
  },
];
