import { dirname, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import type { RunningServer, ServerOptions } from '@srup/server';
import { SYSTEM_REASONS } from '../system-reason.ts';
import { UserError } from '../user-error.ts';

/** Starts the server, and turns what a person can solve into a `UserError`. */
export async function launch(options: ServerOptions): Promise<RunningServer> {
  const { startServer } = await import('@srup/server');
  try {
    return await startServer(options);
  } catch (error) {
    throw (await explain(error as NodeJS.ErrnoException, options)) ?? error;
  }
}

/** Makes a folder that only its owner can use. */
export async function makeFolder(folder: string): Promise<void> {
  const { makePrivateFolder } = await import('@srup/node');
  try {
    await makePrivateFolder(folder);
  } catch (error) {
    throw (await explainFolder(error as NodeJS.ErrnoException, folder)) ?? error;
  }
}

interface SystemError extends NodeJS.ErrnoException {
  readonly port?: number;
  readonly address?: string;
}

async function explain(error: SystemError, options: ServerOptions): Promise<UserError | undefined> {
  const { FolderLockedError } = await import('@srup/node');
  if (error instanceof FolderLockedError) {
    const by = error.pid === undefined ? 'another process' : `process ${error.pid}`;
    return new UserError(
      `a server already runs in ${options.folder}: ${by}`,
      `Use that one, stop it${error.pid === undefined ? '' : ` (kill ${error.pid})`}, or start this one with --folder OTHER and other ports.`,
    );
  }
  if (error.syscall === 'listen') return explainListen(error, options);
  // The messages of these errors say what to do, after the first sentence.
  const [what = '', ...todo] = error.message.split(/(?<=\.) /);
  if (error.name === 'VaultError' || error.name === 'StoreError') return new UserError(what, todo.join(' '));
  if (error.name === 'BrokerError') return new UserError(what, `${todo.join(' ')} (--mqtts-port, --listen)`);
  return explainFolder(error, options.folder);
}

function explainListen(
  { code, port = 0, address = '' }: SystemError,
  options: ServerOptions,
): UserError | undefined {
  const flag = flagOf(port, options);
  if (code === 'EADDRINUSE') {
    return new UserError(
      `port ${port} is in use by another program (or by another server: "srup up")`,
      `Stop that program, or choose another port: ${flag} ${port + 1}`,
    );
  }
  if (code === 'EACCES') {
    return new UserError(
      `port ${port} needs more rights than you have`,
      `Choose a port above 1023: ${flag} ${port + 8000}`,
    );
  }
  if (code === 'EADDRNOTAVAIL') {
    return new UserError(
      `${address} is not an address of this machine`,
      'Give an address of this machine with --listen, or 0.0.0.0 for all.',
    );
  }
  return undefined;
}

function flagOf(port: number, { httpsPort, mqttsPort }: ServerOptions): string {
  if (port === httpsPort) return '--https-port';
  return port === mqttsPort ? '--mqtts-port' : '--insecure-plain-mqtt';
}

/** Why a path does not exist. Only making the folder counts: a file that is missing inside it is another problem. */
const NO_FOLDERS: Readonly<Record<string, string>> = {
  mkdir: 'the system does not let a folder be made there',
};

async function explainFolder(error: SystemError, folder: string): Promise<UserError | undefined> {
  const { code = '', syscall, message } = error;
  const isReadOnly = /readonly|read-only/i.test(message);
  const reason = code === 'ENOENT' ? NO_FOLDERS[syscall ?? ''] : SYSTEM_REASONS[isReadOnly ? 'EROFS' : code];
  if (reason === undefined) return undefined;
  const { path, uid } = await nearestOf(folder);
  const whose = code === 'EACCES' || code === 'EPERM' ? ` (${path} belongs to the user ${uid})` : '';
  return new UserError(
    `the folder ${folder} can't be used: ${reason}${whose}`,
    'Correct that, or name another folder with --folder.',
  );
}

/** The owner of the folder, or of the nearest folder above it that exists. */
async function nearestOf(folder: string): Promise<{ path: string; uid: number }> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined || path === dirname(path)) return { path, uid: found?.uid ?? 0 };
  }
}
