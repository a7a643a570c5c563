/** The checks of a server's databases, whatever kind they are. */
import { join } from 'node:path';
import type { PostgresReport } from '@srup/server';
import { environmentPassword } from '../service/database.ts';
import { failed, ok, warning, type Check, type Judgement } from './finding.ts';

/** A clock of the database that differs by more than this many milliseconds is worth a word. */
const CLOCK_MS = 5_000;
/** The share of PostgreSQL's connections that may be in use. */
const MOST_USED = 0.9;
const MIB = 2 ** 20;

export function databaseChecks(folder: string): Check[] {
  return [{ name: 'database', run: () => checkDatabases(folder) }];
}

async function checkDatabases(folder: string): Promise<readonly Judgement[]> {
  const { CORE_FILE, examinePostgres, findDatabases, findDamage, KEYS_FILE } = await import('@srup/server');
  const { core, note } = await findDatabases(folder, await environmentPassword());
  if (core.kind === 'sqlite') {
    return [CORE_FILE, KEYS_FILE].map((name) => judgeFile(name, findDamage(join(folder, name))));
  }
  const where = note?.url ?? 'the database';
  const report = await examinePostgres(core, Date.now).catch((fault: unknown) => fault as Error);
  return report instanceof Error ? [unreachable(report, where)] : judgePostgres(report, where);
}

function judgeFile(name: string, damage: string | undefined): Judgement {
  if (damage === undefined) return ok(`${name} is whole`);
  return failed(`${name} is damaged: ${damage}`, 'Stop the server, and restore a backup: srup restore');
}

/** The messages of these errors say what to do, after the first sentence. */
function unreachable({ message }: Error, where: string): Judgement {
  const [what = '', ...todo] = message.split(/(?<=\.) /);
  return failed(
    what.includes(where) ? what.replace(/\.$/, '') : `${where} can't be reached: ${what}`,
    todo.join(' ') || 'Start PostgreSQL, and check that no firewall is in the way.',
  );
}

function judgePostgres(report: PostgresReport, where: string): readonly Judgement[] {
  const { version, encoding, bytes, isStandby, others, connections } = report;
  const { used, most } = connections;
  return [
    ok(
      `${where} is PostgreSQL ${version} with the encoding ${encoding} and holds ${Math.ceil(bytes / MIB)} MiB; it does not tell what room its disk has`,
    ),
    judgeTransport(report),
    isStandby
      ? failed('it is a standby, which can only be read', 'Promote it, or name the one that can be written.')
      : judgeRights(report),
    others === 0 ? ok('nobody else uses it') : ok(`other programs than SRUP have ${others} sessions in it`),
    used < most * MOST_USED
      ? ok(`${used} of its ${most} connections are in use`)
      : warning(`${used} of its ${most} connections are in use`, 'Raise max_connections of PostgreSQL.'),
    judgeStandbys(report),
    judgeUpkeep(report),
    judgeClock(report),
  ];
}

function judgeTransport({ tls }: PostgresReport): Judgement {
  if (tls === undefined) return ok('the connection does not leave this machine');
  if (tls) return ok('the connection has TLS');
  return warning(
    'the connection has no TLS: whoever sees the network can read and change all that the server knows',
    'Turn TLS on in PostgreSQL (ssl = on), and start the server without --insecure-plain-database.',
  );
}

function judgeRights({ canCreate }: PostgresReport): Judgement {
  if (canCreate) return ok('its user may make tables');
  return failed('its user may not make tables', 'Make the user the owner of the database.');
}

/** To go back in time uses numbers twice (P 5.1). */
function judgeStandbys({ lagging, isLocal }: PostgresReport): Judgement {
  if (lagging === 0) return ok('no standby can lack what was acknowledged');
  if (isLocal) {
    return warning(
      `synchronous_commit is local, so that ${lagging} standbys can lack what was acknowledged: after a fail-over, the server could go back in time and use numbers twice`,
      'Set synchronous_commit = on for the database and its user, and make a standby synchronous (synchronous_standby_names).',
    );
  }
  return warning(
    `${lagging} standbys are asynchronous: after a fail-over, the server could go back in time and use numbers twice`,
    'Make one synchronous (synchronous_standby_names), or restore a backup of it after a fail-over.',
  );
}

function judgeUpkeep({ autovacuum, fsync }: PostgresReport): Judgement {
  if (!fsync) {
    return warning(
      'fsync is off: a power cut can damage it, and what was acknowledged is lost',
      'Set fsync = on in postgresql.conf.',
    );
  }
  if (autovacuum) return ok('it waits for its disk, and cleans up by itself');
  return warning(
    'autovacuum is off: it grows without end and becomes slow',
    'Set autovacuum = on in postgresql.conf.',
  );
}

function judgeClock({ clockAheadMs }: PostgresReport): Judgement {
  const seconds = Math.round(clockAheadMs / 1000);
  const far = `its clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} this one`;
  return Math.abs(clockAheadMs) < CLOCK_MS
    ? ok('its clock agrees with this one')
    : ok(`${far}; nothing of the server depends on it`);
}
