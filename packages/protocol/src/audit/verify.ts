/** Verifies an exported history, line by line, in memory that grows with the devices and not with the entries. */
import { identityText } from '../identity.ts';
import { decode } from '../message/envelope.ts';
import { authenticate, type Authentic } from '../security/authentic.ts';
import type { VerifyKey } from '../security/suite.ts';
import { tokenKey } from '../token.ts';
import { fromHex } from '../wire/encoding.ts';
import { checkChain } from './chain-check.ts';
import type { SignedCheckpoint } from './checkpoint.ts';
import { beginDevice, takeDecision, takeMessage, takeOrder, type DeviceHistory } from './device-history.ts';
import { evidenceOf, type AuditBodies, type AuditKind, type HexSha256 } from './entry.ts';
import { readBody } from './bodies.ts';
import { collectFindings } from './findings.ts';
import { readHistoryLine, type EntryLine, type EvidenceMessage, type HeaderLine } from './lines.ts';
import { makeReport, type VerifyReport } from './report.ts';

export interface VerifyOptions {
  readonly sha256: HexSha256;
  /** Throws for a key that is none. */
  readonly importKey: (publicPem: string) => VerifyKey;
  /** SHA-256 of a public key in SPKI form, lower-case hex. */
  readonly fingerprint: (publicPem: string) => string;
  /** Fingerprint of the server's Ed25519 key, from somewhere else than the history. */
  readonly serverKey?: string | undefined;
  /** What a witness received. */
  readonly witness?: readonly SignedCheckpoint[] | undefined;
}

export interface Verifier {
  /** Takes the next line of the file, without its line break. */
  line(text: string): void;
  finish(): VerifyReport;
}

/** Missing messages of one device that are remembered until the end, when it is known what was trimmed. */
const MISSING_HELD = 1_000;
const ALARMS_TOLD = 20;

export function createVerifier(options: VerifyOptions): Verifier {
  const { sha256, importKey, fingerprint } = options;
  const findings = collectFindings();
  const witness = options.witness ?? [];
  const chain = checkChain(sha256, findings, witness);
  const devices = new Map<string, DeviceHistory>();
  const restoredAt: number[] = [];
  const alarms: { readonly seq: number; readonly what: string }[] = [];
  let header: HeaderLine | undefined;
  let begin: (AuditBodies['begin'] & { readonly at: number }) | undefined;
  let serverKeys: Partial<Record<string, VerifyKey>> = {};
  let lineNumber = 0;
  let firstAt: number | undefined;
  let lastAt: number | undefined;
  let withheld = 0;

  function line(text: string): void {
    lineNumber += 1;
    const read = readHistoryLine(text);
    const isPlaced =
      read !== undefined && (read.line === 'header') === (lineNumber === 1) && !chain.state.isEnded;
    if (!isPlaced) {
      findings.add('FORM', `line ${lineNumber} is no line of a history, or not one that may stand there`);
      return;
    }
    switch (read.line) {
      case 'header':
        header = read;
        break;
      case 'entry':
        chain.entry(read);
        // What the key service queued is told later than it happened.
        firstAt = Math.min(firstAt ?? read.at, read.at);
        lastAt = Math.max(lastAt ?? read.at, read.at);
        takeEntry(read);
        break;
      case 'withheld':
        withheld += 1;
        chain.withheld(read);
        break;
      case 'checkpoint':
        chain.checkpoint(read);
        break;
      case 'end':
        chain.end(read);
        break;
    }
  }

  function takeEntry(entry: EntryLine): void {
    const body = readBody(entry.kind as AuditKind, entry.body);
    if (body === undefined) {
      findings.add('FORM', `the body of entry ${entry.seq} has not the form of its kind`, entry);
      return;
    }
    if ((entry.seq === 1) !== (entry.kind === 'begin')) {
      findings.add('FORM', 'a history has one entry "begin", the first', entry);
    }
    switch (entry.kind as AuditKind) {
      case 'begin':
        takeBegin(body as AuditBodies['begin'], entry.at);
        break;
      case 'device':
        takeDevice(body as AuditBodies['device'], entry);
        break;
      case 'message':
        takeSingle(body as AuditBodies['message'], entry);
        break;
      case 'messages':
        takeBundle(body as AuditBodies['messages'], entry);
        break;
      case 'trim':
        deviceOf(entry.device).trimmedThrough = Math.max(
          deviceOf(entry.device).trimmedThrough,
          (body as AuditBodies['trim']).through,
        );
        break;
      case 'order': {
        const { token, by, digest } = body as AuditBodies['order'];
        takeOrder(deviceOf(entry.device), token, by, typeof digest === 'string' ? digest : undefined);
        break;
      }
      case 'decision': {
        const { token, by, verdict } = body as AuditBodies['decision'];
        takeDecision(deviceOf(entry.device), token, by, verdict);
        break;
      }
      case 'restore':
        restoredAt.push(entry.seq);
        break;
      case 'alarm':
        if (alarms.length < ALARMS_TOLD) alarms.push({ seq: entry.seq, ...(body as AuditBodies['alarm']) });
        break;
      default: // tells of what is not proven by a device: policies, tokens, starts...
    }
  }

  function takeBegin(body: AuditBodies['begin'], at: number): void {
    if (begin !== undefined) return;
    begin = { ...body, at };
    const pems = Object.entries(body.keys);
    serverKeys = Object.fromEntries(pems.map(([suite, pem]) => [suite, importOrNone(pem)]));
    chain.setKey(serverKeys['ed25519'], body.server);
    if (options.serverKey === undefined) return;
    if (fingerprintOrNone(body.keys.ed25519) !== options.serverKey) {
      const found = fingerprintOrNone(body.keys.ed25519) ?? 'none';
      findings.add('SERVER_KEY', `the history is signed by the key ${found}, not ${options.serverKey}`);
    }
  }

  function takeDevice({ type, suite, key }: AuditBodies['device'], entry: EntryLine): void {
    const device = deviceOf(entry.device);
    device.key = importOrNone(key);
    if (device.key?.suite !== suite)
      findings.add('DEVICE_KEY', 'its key is none, or of another suite', entry);
    Object.assign(device, { type, suite, keyFingerprint: fingerprintOrNone(key) ?? '' });
  }

  function takeSingle(body: AuditBodies['message'], entry: EntryLine): void {
    const device = deviceOf(entry.device);
    const [message] = entry.messages;
    if (message === undefined) {
      noteMissing(device, body.id, 1, entry);
      return;
    }
    if (hashOf(message) !== entry.evidence || message.id !== body.id || entry.messages.length !== 1) {
      findings.add('EVIDENCE', `the bytes of message ${body.id} are not those that were recorded`, entry);
      return;
    }
    const authentic = takeBytes(message, body.direction, device, entry);
    if (authentic === undefined) return;
    const { type, sequence, token } = authentic.message;
    if (type !== body.type || String(sequence) !== body.sequence || tokenKey(token) !== body.token) {
      findings.add('CONTENT', `message ${body.id} is another one than the entry says`, entry);
    }
  }

  function takeBundle({ from, to, count }: AuditBodies['messages'], entry: EntryLine): void {
    const device = deviceOf(entry.device);
    const { messages } = entry;
    if (messages.length === count) {
      const hashes = messages.map(hashOf);
      if (hashes.includes(undefined) || evidenceOf(hashes as string[], sha256) !== entry.evidence) {
        findings.add(
          'EVIDENCE',
          `the bytes of messages ${from} to ${to} are not those that were recorded`,
          entry,
        );
        return;
      }
    } else {
      noteMissing(device, messages.length === 0 ? to : from, count - messages.length, entry);
    }
    for (const message of messages) takeBytes(message, undefined, device, entry);
  }

  /** `direction`: as the entry says it; a bundle says nothing, and the message itself tells by its sender. */
  function takeBytes(
    message: EvidenceMessage,
    direction: 'in' | 'out' | undefined,
    device: DeviceHistory,
    entry: EntryLine,
  ): Authentic | undefined {
    const decoded = decode(fromHex(message.hex) ?? new Uint8Array());
    if (!decoded.ok) {
      findings.add('CONTENT', `message ${message.id} can't be read: ${decoded.code}`, entry);
      return undefined;
    }
    const sender = identityText(decoded.value.message.sender);
    const way = sender === device.id ? 'in' : sender === begin?.server ? 'out' : undefined;
    if (way === undefined || (direction ?? way) !== way) {
      findings.add('SIGNATURE', `message ${message.id} names the sender ${sender}`, entry);
      return undefined;
    }
    const key = way === 'in' ? device.key : serverKeys[device.suite];
    if (key === undefined) {
      findings.add('DEVICE_KEY', `there is no key to verify message ${message.id} with`, entry);
      return undefined;
    }
    const authentic = authenticate(decoded.value, key);
    if (!authentic.ok) {
      const who = way === 'in' ? `the device ${device.id}` : 'the server';
      findings.add('SIGNATURE', `message ${message.id} is not signed by ${who}`, entry);
      return undefined;
    }
    for (const [code, detail] of takeMessage(device, way, authentic.value, entry)) {
      findings.add(code, detail, entry);
    }
    return authentic.value;
  }

  function noteMissing(device: DeviceHistory, id: number, count: number, { seq }: EntryLine): void {
    device.isPartial = true;
    device.trimmed += count;
    device.missing.push({ id, seq, count });
    if (device.missing.length > MISSING_HELD) device.missing.shift();
  }

  /** Only the last line shows how much was trimmed: what an entry lacked may be told of later. */
  function judgeMissing(): void {
    for (const device of devices.values()) {
      for (const { id, seq, count } of device.missing) {
        if (id <= device.trimmedThrough) continue;
        device.trimmed -= count;
        const what = count === 1 ? `message ${id} is` : `${count} messages are`;
        findings.add('MISSING', `the bytes of ${what} gone, and no entry says that they may be`, {
          seq,
          device: device.id,
        });
      }
    }
  }

  function deviceOf(id: string): DeviceHistory {
    let device = devices.get(id);
    if (device === undefined) {
      device = beginDevice(id);
      device.isPartial = (begin?.messagesBefore ?? 0) > 0 || header?.since !== undefined;
      devices.set(id, device);
    }
    return device;
  }

  const hashOf = ({ hex }: EvidenceMessage): string | undefined => {
    const bytes = fromHex(hex);
    return bytes && sha256(bytes);
  };

  function importOrNone(pem: unknown): VerifyKey | undefined {
    try {
      return importKey(String(pem));
    } catch {
      return undefined;
    }
  }

  function fingerprintOrNone(pem: unknown): string | undefined {
    try {
      return fingerprint(String(pem));
    } catch {
      return undefined;
    }
  }

  return {
    line,
    finish: () => {
      chain.finish(restoredAt);
      judgeMissing();
      if (begin === undefined) findings.add('FORM', 'the history does not say whose it is');
      return makeReport({
        header,
        begin,
        keyFingerprint: fingerprintOrNone(begin?.keys.ed25519),
        isKeyGiven: options.serverKey !== undefined,
        isWitnessGiven: options.witness !== undefined,
        chain: chain.state,
        firstAt,
        lastAt,
        withheld,
        devices: [...devices.values()],
        findings,
        alarms,
        restoredAt,
      });
    },
  };
}
