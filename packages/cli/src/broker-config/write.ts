import { chown, readFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { writeFileAtomic } from '@srup/node';
import type { BrokerAccess } from '@srup/server';
import { programName } from '../screen/program-name.ts';
import { makeFolder } from '../up/launch.ts';
import { parsePort } from '../up/options.ts';
import { UserError } from '../user-error.ts';
import { MARK, mosquittoFiles } from './mosquitto.ts';

export interface BrokerConfigOptions {
  readonly folder: string;
  readonly out?: string;
  readonly port: string;
  readonly sessionsPort: string;
  readonly listen?: string;
}

type Fate = 'written' | 'replaced' | 'unchanged';

const LOCAL = '127.0.0.1';

export async function writeMosquitto(options: BrokerConfigOptions): Promise<void> {
  const folder = resolve(options.folder);
  const out = resolve(options.out ?? join(folder, 'mosquitto'));
  const port = parsePort(options.port, '--port');
  const sessionsPort = parsePort(options.sessionsPort, '--sessions-port');
  if (port === 0 || sessionsPort === 0 || port === sessionsPort)
    throw new UserError(
      '--port and --sessions-port must be two different ports, and not 0',
      'Choose other ports.',
    );
  const { listen } = options;
  if (listen !== undefined && isIP(listen) === 0)
    throw new UserError(`--listen ${listen} is not an address`, 'Write an IP address of this machine.');
  const { SESSIONS_USER } = await import('@srup/server');
  const access = await openAccess(folder);
  const files = mosquittoFiles({
    ...access,
    ...{ port, sessionsPort, folder: out, sessionsListen: LOCAL, sessionsUser: SESSIONS_USER },
    ...(listen === undefined ? {} : { listen }),
    password: access.password.reveal(),
    user: await nameOf(access.owner.uid),
  });
  await checkForeign(out, Object.keys(files));
  await makeFolder(out);
  await give(out, access);
  for (const [name, text] of Object.entries(files)) {
    const path = join(out, name);
    const fate = await put(path, text);
    await give(path, access);
    process.stdout.write(`  ${fate.padEnd(10)}${path}\n`);
  }
  process.stdout.write(nextSteps(folder, out, port, sessionsPort));
}

async function openAccess(folder: string): Promise<BrokerAccess> {
  const { openBrokerAccess } = await import('@srup/server');
  try {
    return await openBrokerAccess(folder);
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    if (name === 'VaultError') {
      const [what = '', ...todo] = message.split(/(?<=\.) /);
      throw new UserError(what, todo.join(' '));
    }
    if (code !== 'EACCES') throw error;
    throw new UserError(
      `you may not read the folder ${folder}`,
      'Run this as the user that runs the server.',
    );
  }
}

/** Refuses to go on, before anything is written, when a file is not one of ours. */
async function checkForeign(out: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(out, name);
    const found = await readFile(path, 'utf8').catch(() => undefined);
    if (found === undefined || found.startsWith(MARK)) continue;
    throw new UserError(
      `${path} exists and was not written by this command: nothing was changed`,
      'Move it away, or choose another folder with --out.',
    );
  }
}

async function put(path: string, text: string): Promise<Fate> {
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === text) return 'unchanged';
  if (found !== undefined) await rename(path, `${path}.old`);
  await writeFileAtomic(path, text);
  return found === undefined ? 'written' : 'replaced';
}

/** Gives a file that root wrote to the user that runs the server. */
async function give(path: string, { owner }: BrokerAccess): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
}

/** The name of the user. Mosquitto needs it: started by root, it becomes this user. */
async function nameOf(uid: number): Promise<string> {
  const self = userInfo();
  if (self.uid === uid) return self.username;
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const name = users
    .split('\n')
    .map((line) => line.split(':'))
    .find(([, , id]) => id === String(uid))?.[0];
  if (name !== undefined) return name;
  throw new UserError(
    `the folder belongs to the user ${uid}, which has no name on this machine`,
    'Run this as the user that runs the server.',
  );
}

function nextSteps(folder: string, out: string, port: number, sessionsPort: number): string {
  const srup = programName();
  return `
Start the broker as the user that runs the server (or as root: it becomes that user):
  mosquitto -c ${join(out, 'mosquitto.conf')}
Start the server with this broker and with its earlier options (--listen, --host). Devices must reach HOST:
  ${srup} up --folder ${folder} --broker mqtts://HOST:${port} \\
    --broker-sessions mqtts://localhost:${sessionsPort} \\
    --broker-reload 'pkill -HUP --pidfile ${join(out, 'mosquitto.pid')} mosquitto'
See whether it refuses revoked devices:
  ${srup} ctl broker
`;
}
