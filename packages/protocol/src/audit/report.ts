import type { ChainState } from './chain-check.ts';
import type { DeviceHistory, Fact } from './device-history.ts';
import type { AuditBodies } from './entry.ts';
import type { Finding, Findings } from './findings.ts';
import type { HeaderLine } from './lines.ts';

/** What is proven of one device. Times are ms since 1970, by the server's clock. */
export interface DeviceReport {
  readonly device: string;
  readonly type: string;
  readonly suite: string;
  /** SHA-256 of its public key in SPKI form. */
  readonly keyFingerprint: string;
  readonly messagesFromDevice: number;
  readonly messagesToDevice: number;
  /** Messages known only by their hash. Their bytes were removed to make room, and the history says so. */
  readonly trimmed: number;
  /** Receipts whose order is not in the part that the file shows. */
  readonly unmatched: number;
  /** How many receipts there are, by the name of their status. */
  readonly receipts: Readonly<Record<string, number>>;
  /** The last facts, oldest first. */
  readonly facts: readonly Fact[];
  readonly factCount: number;
}

export interface VerifyReport {
  /** Nothing contradicts anything. `proven` and `notProven` say what that proves, and what it does not. */
  readonly ok: boolean;
  readonly server?: string;
  readonly keyFingerprint?: string;
  readonly entries: number;
  readonly withheld: number;
  readonly firstAt?: number;
  readonly lastAt?: number;
  readonly checkpoints: number;
  readonly signedThrough: number;
  readonly witnessedThrough: number;
  readonly devices: readonly DeviceReport[];
  /** What the server itself found wrong with its trail. */
  readonly alarms: readonly { readonly seq: number; readonly what: string }[];
  readonly restoredAt: readonly number[];
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly proven: readonly string[];
  readonly notProven: readonly string[];
}

export interface Verified {
  readonly header: HeaderLine | undefined;
  readonly begin: AuditBodies['begin'] | undefined;
  readonly keyFingerprint: string | undefined;
  readonly isKeyGiven: boolean;
  readonly isWitnessGiven: boolean;
  readonly chain: ChainState;
  readonly firstAt: number | undefined;
  readonly lastAt: number | undefined;
  readonly withheld: number;
  readonly devices: readonly DeviceHistory[];
  readonly findings: Findings;
  readonly alarms: VerifyReport['alarms'];
  readonly restoredAt: readonly number[];
}

export function makeReport(verified: Verified): VerifyReport {
  const { begin, keyFingerprint, chain, firstAt, lastAt, findings } = verified;
  const ok = findings.count() === 0;
  return {
    ok,
    ...(begin !== undefined && { server: begin.server }),
    ...(keyFingerprint !== undefined && { keyFingerprint }),
    entries: chain.seq,
    withheld: verified.withheld,
    ...(firstAt !== undefined && { firstAt }),
    ...(lastAt !== undefined && { lastAt }),
    checkpoints: chain.checkpoints,
    signedThrough: chain.signedThrough,
    witnessedThrough: chain.witnessedThrough,
    devices: verified.devices.map(reportDevice),
    alarms: verified.alarms,
    restoredAt: verified.restoredAt,
    findings: findings.told,
    findingCount: findings.count(),
    proven: ok ? provenBy(verified) : [],
    notProven: notProvenBy(verified),
  };
}

function reportDevice(device: DeviceHistory): DeviceReport {
  const { id, type, suite, keyFingerprint, trimmed, unmatched, receipts, facts, factCount } = device;
  return {
    device: id,
    type,
    suite,
    keyFingerprint,
    messagesFromDevice: device.verifiedIn,
    messagesToDevice: device.verifiedOut,
    trimmed,
    unmatched,
    receipts,
    facts,
    factCount,
  };
}

function provenBy({ chain, devices, isKeyGiven, withheld }: Verified): string[] {
  const { seq, signedThrough, witnessMatched, witnessedThrough } = chain;
  const received = devices.reduce((sum, { verifiedIn }) => sum + verifiedIn, 0);
  const sent = devices.reduce((sum, { verifiedOut }) => sum + verifiedOut, 0);
  const whose = isKeyGiven ? 'the server whose key you gave' : 'the holder of the key that the history names';
  const proven = [
    `Entries 1 to ${seq} are one chain: none was changed, moved, put in or taken out between them since their hashes were made.`,
    `${received} messages were signed by the devices that they name, and ${sent} by the server, with the keys that the history names.`,
    'No device used a number twice, and every receipt counted above as a proof answers an order that was signed for that device.',
  ];
  if (signedThrough > 0) proven.push(`Entries 1 to ${signedThrough} were signed by ${whose}.`);
  if (witnessMatched > 0) {
    proven.push(
      `Entries 1 to ${witnessedThrough} are as they were when the witness received them (${witnessMatched} checkpoints): nobody changed or removed one since, not even whoever holds the server's key and database.`,
    );
  }
  if (withheld > 0) {
    proven.push(
      `${withheld} entries are there by hash alone: they are where they should be, and say nothing here.`,
    );
  }
  return proven;
}

function notProvenBy({ header, begin, chain, devices, isKeyGiven, isWitnessGiven }: Verified): string[] {
  const not: string[] = [];
  const { seq, signedThrough, witnessedThrough, witnessMatched } = chain;
  if (!isKeyGiven) {
    not.push(
      "That this is the server's history: it names its key itself. Compare the key's fingerprint, or give it with --server-key.",
    );
  }
  if (!isWitnessGiven) {
    not.push(
      "That nothing was rewritten: whoever holds the server's key and database can make a whole new history, or cut off its end, and sign that. Only checkpoints that somebody else kept show it: --checkpoint.",
    );
  } else if (witnessMatched === 0) {
    not.push('That nothing was rewritten: the witness holds no checkpoint of this history.');
  } else if (witnessedThrough < seq) {
    not.push(
      `That entries ${witnessedThrough + 1} to ${seq} stay as they are, and that they are the last ones: the witness has not seen them.`,
    );
  } else {
    not.push(`That nothing happened after entry ${seq}.`);
  }
  if (signedThrough < seq) {
    not.push(`Who made entries ${signedThrough + 1} to ${seq}: no checkpoint in the file covers them.`);
  }
  not.push(
    "When things happened: times are by the server's clock. A token that is a UUIDv7 carries its maker's time under the signature.",
    'That a key belongs to a certain box: that the key service took it is the word of the server; how the join was decided says why.',
    'Who an operator was: names are those of API tokens.',
    'What the server received and did not record. A device that keeps its own log can show such a gap.',
  );
  const trimmed = devices.reduce((sum, device) => sum + device.trimmed, 0);
  if (trimmed > 0) {
    not.push(
      `What ${trimmed} messages said: their bytes were removed to make room; only their hashes are left.`,
    );
  }
  const unmatched = devices.reduce((sum, device) => sum + device.unmatched, 0);
  if (unmatched > 0)
    not.push(`What ${unmatched} receipts answer: their orders are not in what this file shows.`);
  if ((begin?.messagesBefore ?? 0) > 0)
    not.push('What happened before the history began: the server is older.');
  if (header?.device !== undefined) not.push(`Anything about other devices than ${header.device}.`);
  return not;
}
