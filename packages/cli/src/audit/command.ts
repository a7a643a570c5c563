import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { findDevice } from '../client/find.ts';
import { defineCommand, withSession, type CommonOptions, type Session } from '../client/session.ts';
import type { AnswerTo, AuditEntryView, AuditStatus } from '../client/views.ts';
import { refused } from '../failure.ts';
import { parseDuration, parseRows } from '../screen/parse.ts';
import { exactTime, NOTHING, relativeTime } from '../screen/words.ts';
import { UserError } from '../user-error.ts';
import { contentOf } from './content.ts';

const AFTER = `
The audit trail records who ordered what and what devices proved. Its entries
are chained by hash, with the signed messages as evidence and checkpoints that
the server signs. "srup verify FILE" checks an export offline.

Begin:
  $ srup audit list
  $ srup audit export -o history.jsonl
  $ srup verify history.jsonl --checkpoint witness.jsonl`;

const PROGRAM = 'srup audit';
/** Part of the last line, which only a complete export has. */
const END = '"end":';
const END_BYTES = 200;

interface ListOptions extends CommonOptions {
  readonly device?: string;
  readonly kind?: string;
  readonly text?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

interface ExportOptions extends CommonOptions {
  readonly device?: string;
  readonly since?: string;
  readonly output?: string;
}

/** Adds `srup audit`, which shows and exports the trail of a server. */
export function addAuditCommand(program: Command): void {
  const audit = program
    .command('audit')
    .description('see, search, sign and export the audit trail of a server')
    .addHelpText('after', AFTER);
  addStatus(audit);
  addList(audit);
  addExport(audit);
  addCheckpoint(audit);
}

function addStatus(audit: Command): void {
  defineCommand(
    audit,
    'status',
    'show how far the trail is signed and witnessed, and what is wrong with it',
    ['status'],
    PROGRAM,
  ).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const status = await api.get<AuditStatus>('/audit/status');
      const { server, keyFingerprint, entries, checkpoint, witnesses, alarms } = status;
      output.result(status, () => {
        output.facts([
          ['Server', server],
          ['Key', `${keyFingerprint} (for srup verify --server-key)`],
          ['Entries', String(entries)],
          [
            'Signed',
            checkpoint === undefined ? 'never' : `to entry ${checkpoint.seq}, ${relativeTime(checkpoint.at)}`,
          ],
          ...(witnesses.length === 0 ? [['Witness', 'none: srup up --witness'] as const] : []),
          ...witnesses.map(
            ({ place, seq, trouble }) =>
              [
                'Witness',
                trouble === undefined
                  ? `${place}, to entry ${seq}`
                  : { text: `${place}, only to entry ${seq}: ${trouble}`, style: 'red' as const },
              ] as const,
          ),
          ...alarms.map((what) => ['ALARM', { text: what, style: 'red' as const }] as const),
        ]);
      });
      return alarms.length === 0 ? undefined : 1;
    }),
  );
}

function addList(audit: Command): void {
  defineCommand(
    audit,
    'list',
    'list entries, newest first',
    ['list --device pump-7', 'list --kind order --since 7d', 'list --text "night shift" --limit all --json'],
    PROGRAM,
  )
    .option('--device <device>', 'only entries about this device')
    .option('--kind <kind>', 'message, order, decision, token, policy, identity, alarm... (docs/audit.md)')
    .option('--text <part>', 'only entries whose content has this text')
    .option('--since <time>', 'only entries since then: 12h, 7d, or a date like 2026-11-21T09:00')
    .option('--until <time>', 'only entries before then')
    .option('--limit <rows>', 'the most rows to show, or "all"', '50')
    .action(({ device, kind, text, since, until, limit, ...options }: ListOptions) =>
      withSession(options, async ({ api, output }) => {
        const query = {
          device: device === undefined ? undefined : (await findDevice(api, device)).id,
          kind,
          text,
          since: parseMoment(since),
          until: parseMoment(until),
        };
        const rows = await api.list<AuditEntryView>('/audit', query, parseRows(limit));
        output.result(rows, () => {
          if (rows.length === 0) output.line('No entry matches.');
          else
            output.table(
              ['ENTRY', 'TIME', 'KIND', 'DEVICE', 'CONTENT'],
              rows.map((row) => [
                String(row.seq),
                exactTime(row.at),
                row.kind,
                row.device ?? NOTHING,
                contentOf(row.body),
              ]),
            );
        });
        return undefined;
      }),
    );
}

function addExport(audit: Command): void {
  defineCommand(
    audit,
    'export',
    'export the history for "srup verify", as JSON lines, to a file or stdout',
    ['export -o history.jsonl', 'export --device pump-7 --since 30d -o pump-7.jsonl'],
    PROGRAM,
  )
    .option('-o, --output <file>', 'write to this file (default: stdout)')
    .option('--device <device>', 'export entries about this device, and only the hashes of the others')
    .option(
      '--since <time>',
      'export entries since then (12h, 7d, or a date), and only the hashes of the rest',
    )
    .action(({ device, since, output: file, ...options }: ExportOptions) =>
      withSession(options, async (session) => {
        const query = {
          device: device === undefined ? undefined : (await findDevice(session.api, device)).id,
          since: parseMoment(since),
        };
        await saveExport(session, query, file);
        return undefined;
      }),
    );
}

/** Saves an export. The file gets its name once the last line is in it, so that it is never half an export. */
async function saveExport(
  { api, output }: Session,
  query: { readonly device: string | undefined; readonly since: number | undefined },
  file: string | undefined,
): Promise<void> {
  const answer = await api.stream('/audit/export', query, new AbortController().signal);
  let bytes = 0;
  let tail = '';
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    tail = (tail + chunk.toString('latin1')).slice(-END_BYTES);
  });
  const partial = `${file ?? ''}.partial`;
  try {
    if (file === undefined) await pipeline(answer, process.stdout, { end: false });
    else await pipeline(answer, createWriteStream(partial, { mode: 0o600 }));
    if (!tail.includes(END)) throw new Error('it ended too early');
    if (file !== undefined) await rename(partial, file);
  } catch (error) {
    if (file !== undefined) await rm(partial, { force: true });
    throw refused(
      `the history could not be exported: ${(error as Error).message}`,
      'Check that the disk has room and that the server runs, and try again.',
    );
  }
  if (file === undefined) return;
  output.result({ file, bytes }, () => {
    output.line(`${file}: ${bytes} bytes. Check it with: srup verify ${file}`);
  });
}

function addCheckpoint(audit: Command): void {
  defineCommand(
    audit,
    'checkpoint',
    'sign the trail now and print the checkpoint, for somebody else to keep',
    ['checkpoint', 'checkpoint --json >> witness.jsonl'],
    PROGRAM,
  ).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const { text, signature } = await api.send<AnswerTo<'signAudit'>>('POST', '/audit/checkpoints');
      output.result({ checkpoint: text, signature }, () => {
        for (const line of text.trimEnd().split('\n')) output.line(line);
        output.line(`signature ${signature}`);
      });
      return undefined;
    }),
  );
}

/** Ms since 1970, from a time before now ("7d") or a date. */
function parseMoment(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+[a-z]+$/.test(text)) return Date.now() - parseDuration(text);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new UserError(
    `"${text}" is neither a date nor a time before now`,
    'Write 2026-11-21, 2026-11-21T09:00, or 12h, 7d.',
  );
}
