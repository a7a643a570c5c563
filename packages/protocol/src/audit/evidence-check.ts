/** Checks the messages of a history: they must be those of the entry, and signed by the party that they name. */
import { identityText } from '../identity.ts';
import { decode } from '../message/envelope.ts';
import { authenticate, type Authentic } from '../trust/authentic.ts';
import { tokenKey } from '../token.ts';
import { fromHex } from '../wire/encoding.ts';
import { takeMessage, type DeviceHistory, type Missing } from './device-history.ts';
import { evidenceOf, type AuditBodies, type HexSha256 } from './entry.ts';
import type { Findings } from './findings.ts';
import type { EntryLine, EvidenceMessage } from './lines.ts';
import type { Parties } from './parties.ts';

/** Missing messages of one device that are held until the end. Only then it is known what was trimmed. */
const MISSING_HELD = 1_000;

export interface EvidenceCheck {
  single(body: AuditBodies['message'], entry: EntryLine): void;
  bundle(body: AuditBodies['messages'], entry: EntryLine): void;
  /** Call it after the last line. */
  finish(): void;
}

export function checkEvidence(sha256: HexSha256, parties: Parties, findings: Findings): EvidenceCheck {
  function single(body: AuditBodies['message'], entry: EntryLine): void {
    const device = parties.device(entry.device);
    const [message] = entry.messages;
    if (message === undefined) {
      noteMissing(device, { id: body.id, seq: entry.seq, count: 1, isData: body.type === 'DATA' });
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

  function bundle({ from, to, count }: AuditBodies['messages'], entry: EntryLine): void {
    const device = parties.device(entry.device);
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
      const id = messages.length === 0 ? to : from;
      noteMissing(device, { id, seq: entry.seq, count: count - messages.length, isData: true });
    }
    for (const message of messages) takeBytes(message, undefined, device, entry);
  }

  /** `direction`: as the entry says. A bundle does not say it; there the sender of the message tells. */
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
    const way = sender === device.id ? 'in' : sender === parties.begin()?.server ? 'out' : undefined;
    if (way === undefined || (direction ?? way) !== way) {
      findings.add('SIGNATURE', `message ${message.id} names the sender ${sender}`, entry);
      return undefined;
    }
    const key = way === 'in' ? device.key : parties.serverKey(device.suite);
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

  function noteMissing(device: DeviceHistory, missing: Missing): void {
    device.isPartial = true;
    device.trimmed += missing.count;
    device.missing.push(missing);
    if (device.missing.length > MISSING_HELD) device.missing.shift();
  }

  /** Only the last line shows how much was trimmed: a later entry can say what an earlier one lacks. */
  function judgeMissing(): void {
    for (const device of parties.devices()) {
      for (const { id, seq, count, isData } of device.missing) {
        if (id <= (isData ? device.dataTrimmedThrough : device.trimmedThrough)) continue;
        device.trimmed -= count;
        const what = count === 1 ? `message ${id} is` : `${count} messages are`;
        findings.add('MISSING', `the bytes of ${what} gone, and no entry says that they may be`, {
          seq,
          device: device.id,
        });
      }
    }
  }

  const hashOf = ({ hex }: EvidenceMessage): string | undefined => {
    const bytes = fromHex(hex);
    return bytes && sha256(bytes);
  };

  return { single, bundle, finish: judgeMissing };
}
