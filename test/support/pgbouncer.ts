import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { locate } from '../../scripts/system-programs.ts';
import { folderFor, ownerOf, startGuarded } from './guarded.ts';
import { freePort } from './ports.ts';
import type { Postgres } from './postgres.ts';

export type PoolMode = 'session' | 'transaction' | 'statement';

/** A real PgBouncer in front of all databases of a PostgreSQL. */
export interface Pgbouncer {
  readonly port: number;
  /** The same database with the same user, through the pooler. */
  through(url: string): string;
  log(): string;
  /** Breaks off all connections. */
  clear(): Promise<void>;
}

export async function startPgbouncer(
  postgres: Postgres,
  { poolMode }: { readonly poolMode: PoolMode },
): Promise<Pgbouncer> {
  const owner = ownerOf('postgres');
  const folder = await folderFor(owner, 'srup-pgbouncer-');
  const port = await freePort();
  const [settings, users] = [join(folder, 'pgbouncer.ini'), join(folder, 'users')];
  await writeFile(users, `"postgres" "${postgres.password}"\n`, { mode: 0o600 });
  const lines = [
    '[databases]',
    `* = host=127.0.0.1 port=${postgres.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${users}`,
    `pool_mode = ${poolMode}`,
  ];
  await writeFile(settings, `${lines.join('\n')}\n`, { mode: 0o600 });
  const { uid, gid } = owner;
  if (uid !== undefined && gid !== undefined) {
    for (const file of [settings, users]) await chown(file, uid, gid);
  }
  const running = await startGuarded({
    command: [locate('pgbouncer') ?? 'pgbouncer', settings],
    owner,
    folder,
    endsBy: 'TERM',
    ready: /process up/,
  });
  return {
    port,
    through: (url) => {
      const changed = new URL(url);
      changed.port = String(port);
      return changed.href;
    },
    log: () => running.log(),
    clear: async () => {
      if (running.alive()) running.signal('SIGTERM');
      await running.ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
