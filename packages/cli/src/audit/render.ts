/** Writes for people what a verification found. */
import { callerText, type DeviceReport, type Fact, type Finding, type VerifyReport } from '@srup/protocol';
import { printable } from '../screen/printable.ts';
import { exactTime } from '../screen/words.ts';
import { terminalOf, type Terminal } from '../screen/terminal.ts';

/** Devices that are listed; --json has all. */
const DEVICES_SHOWN = 50;

const FACTS: Readonly<Record<Fact['what'], string>> = {
  joined: 'joined',
  staged: 'proved that it holds',
  ran: 'proved that it runs',
  reverted: 'proved that it went back from',
};

export function renderReport(report: VerifyReport): string {
  const terminal = terminalOf(process.stdout);
  const { devices, findings } = report;
  const parts = [
    [verdict(report, terminal)],
    summary(report),
    findings.length === 0 ? [] : [terminal.paint('bold', 'Found:'), ...findings.map(renderFinding)],
    report.findingCount > findings.length ? [`  and ${report.findingCount - findings.length} more`] : [],
    report.alarms.map(({ seq, what }) => `The server itself raised an alarm (entry ${seq}): ${what}`),
    report.restoredAt.map(
      (seq) =>
        `The server was restored from a backup (entry ${seq}): what it did after that backup is missing here.`,
    ),
    ...devices.slice(0, DEVICES_SHOWN).map((device) => renderDevice(device, terminal)),
    devices.length > DEVICES_SHOWN
      ? [`and ${devices.length - DEVICES_SHOWN} more devices: --json shows all`]
      : [],
    report.proven.length === 0 ? [] : [terminal.paint('bold', 'Proven:'), ...report.proven.map(item)],
    [terminal.paint('bold', 'Not proven:'), ...report.notProven.map(item)],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => `${line}\n`).join(''))
    .join('\n');
}

function verdict({ ok, findingCount, findings }: VerifyReport, { paint }: Terminal): string {
  if (ok) return paint(['bold', 'green'], 'No contradiction.');
  const first = findings.find(({ seq }) => seq !== undefined)?.seq;
  const where = first === undefined ? '' : ` The first at entry ${first}.`;
  const count = findingCount === 1 ? 'One contradiction.' : `${findingCount} contradictions.`;
  return paint(['bold', 'red'], `NOT IN ORDER. ${count}${where}`);
}

function summary(report: VerifyReport): string[] {
  const { server, keyFingerprint, entries, withheld, firstAt, lastAt, checkpoints, signedThrough } = report;
  const hidden = withheld === 0 ? '' : `, ${withheld} of them as a hash only`;
  const times =
    firstAt === undefined || lastAt === undefined ? '' : `, ${exactTime(firstAt)} to ${exactTime(lastAt)}`;
  return [
    `Server       ${server ?? 'not named'}, key ${keyFingerprint ?? 'none'}`,
    `Entries      ${entries}${hidden}${times}`,
    `Checkpoints  ${checkpoints}, the last for entry ${signedThrough}`,
  ].map(printable);
}

function renderFinding({ code, seq, device, detail }: Finding): string {
  const where = seq === undefined ? 'file' : `entry ${seq}`;
  return printable(`  ${where}${device === undefined ? '' : `, device ${device}`}: ${code}: ${detail}`);
}

function renderDevice(device: DeviceReport, { paint }: Terminal): string[] {
  const { messagesFromDevice, messagesToDevice, trimmed, facts, factCount, receipts } = device;
  const title = printable(`Device ${device.device} (${device.type}, ${device.suite})`);
  const lines = [
    `key ${device.keyFingerprint}`,
    `${messagesFromDevice} messages signed by it, ${messagesToDevice} to it signed by the server${trimmed === 0 ? '' : `, ${trimmed} known as a hash only`}`,
    ...(factCount > facts.length ? [`${factCount - facts.length} earlier proofs are not shown`] : []),
    ...facts.map(renderFact),
  ];
  const counts = Object.entries(receipts).map(([name, count]) => `${name} ${count}`);
  if (counts.length > 0) lines.push(`receipts: ${counts.join(', ')}`);
  return [paint('bold', title), ...lines.map((line) => printable(`  ${line}`))];
}

function renderFact({ what, seq, at, digest, by }: Fact): string {
  const verb = what === 'joined' ? 'decided' : 'ordered';
  const said = by === undefined ? '' : `, ${verb} by ${callerText(by)}`;
  return `${exactTime(at)}  ${FACTS[what]}${digest === undefined ? '' : ` ${digest}`}${said} (entry ${seq})`;
}

function item(text: string): string {
  return `  - ${text}`;
}
