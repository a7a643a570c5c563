/** Verifies an exported history line by line. The memory grows with the number of devices, not of entries. */
import { checkChain } from './chain-check.ts';
import type { SignedCheckpoint } from './checkpoint.ts';
import { takeDecision, takeOrder } from './device-history.ts';
import type { AuditBodies, AuditKind, HexSha256 } from './entry.ts';
import { checkEvidence } from './evidence-check.ts';
import { readBody } from './bodies.ts';
import { collectFindings } from './findings.ts';
import { readHistoryLine, type EntryLine, type HeaderLine } from './lines.ts';
import { openParties, type KeyReader } from './parties.ts';
import { makeReport, type VerifyReport } from './report.ts';

export interface VerifyOptions extends KeyReader {
  readonly sha256: HexSha256;
  /** Fingerprint of the server's Ed25519 key, from a source other than the history. */
  readonly serverKey?: string | undefined;
  /** The checkpoints that a witness received. */
  readonly witness?: readonly SignedCheckpoint[] | undefined;
}

export interface Verifier {
  /** Takes the next line of the file, without its line break. */
  line(text: string): void;
  finish(): VerifyReport;
}

const ALARMS_TOLD = 20;

/**
 * Makes a verifier for one history. It judges any lines and never throws for them.
 *
 * @example
 * const verifier = createVerifier({ sha256, importKey: importVerifyKey, fingerprint: publicFingerprint });
 * for await (const line of lines) verifier.line(line);
 * const { ok, findings } = verifier.finish();
 */
export function createVerifier(options: VerifyOptions): Verifier {
  const { sha256, serverKey, witness } = options;
  const findings = collectFindings();
  const chain = checkChain(sha256, findings, witness ?? []);
  let header: HeaderLine | undefined;
  const parties = openParties(options, findings, () => header?.since !== undefined);
  const evidence = checkEvidence(sha256, parties, findings);
  const restoredAt: number[] = [];
  const alarms: { readonly seq: number; readonly what: string }[] = [];
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
      findings.add('FORM', `line ${lineNumber} is not a line of a history, or it can't stand there`);
      return;
    }
    switch (read.line) {
      case 'header':
        header = read;
        break;
      case 'entry':
        chain.entry(read);
        // The key service's events wait in a queue, so their entries come later than they happened.
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
        takeBegin(body as AuditBodies['begin']);
        break;
      case 'device':
        parties.takeDevice(body as AuditBodies['device'], entry);
        break;
      case 'message':
        evidence.single(body as AuditBodies['message'], entry);
        break;
      case 'messages':
        evidence.bundle(body as AuditBodies['messages'], entry);
        break;
      case 'trim': {
        const device = parties.device(entry.device);
        const { through, data = 0 } = body as AuditBodies['trim'];
        device.trimmedThrough = Math.max(device.trimmedThrough, through);
        device.dataTrimmedThrough = Math.max(device.dataTrimmedThrough, through, data);
        break;
      }
      case 'order': {
        const { token, by, digest } = body as AuditBodies['order'];
        takeOrder(parties.device(entry.device), token, by, typeof digest === 'string' ? digest : undefined);
        break;
      }
      case 'decision': {
        const { token, by, verdict } = body as AuditBodies['decision'];
        takeDecision(parties.device(entry.device), token, by, verdict);
        break;
      }
      case 'restore':
        restoredAt.push(entry.seq);
        break;
      case 'alarm':
        if (alarms.length < ALARMS_TOLD) alarms.push({ seq: entry.seq, ...(body as AuditBodies['alarm']) });
        break;
      default: // what no device proves: policies, tokens, starts...
    }
  }

  function takeBegin(body: AuditBodies['begin']): void {
    if (parties.begin() !== undefined) return;
    parties.takeBegin(body);
    chain.setKey(parties.serverKey('ed25519'), body.server);
    const found = parties.fingerprint();
    if (serverKey === undefined || found === serverKey) return;
    findings.add('SERVER_KEY', `the history is signed by the key ${found ?? 'none'}, not ${serverKey}`);
  }

  return {
    line,
    finish: () => {
      chain.finish(restoredAt);
      evidence.finish();
      const begin = parties.begin();
      if (begin === undefined) findings.add('FORM', 'the history does not say whose it is');
      return makeReport({
        header,
        begin,
        keyFingerprint: parties.fingerprint(),
        isKeyGiven: serverKey !== undefined,
        isWitnessGiven: witness !== undefined,
        chain: chain.state,
        firstAt,
        lastAt,
        withheld,
        devices: parties.devices(),
        findings,
        alarms,
        restoredAt,
      });
    },
  };
}
