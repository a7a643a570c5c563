import { resolve } from 'node:path';
import type { AgentStatus, Ask, OwnerDeferral, StoredStatus } from '@srup/agent';
import { confirmTyped } from '../ctl/prompts.ts';
import { createOutput, type Cell, type Output } from '../ctl/output.ts';
import { relativeTime } from '../ctl/words.ts';
import { UserError } from '../user-error.ts';
import { toUserError } from './run.ts';

export interface AskOptions {
  readonly home: string;
  readonly json?: true;
}

/** `srup agent status`: of a running agent, or what the files of one that does not run say. */
export async function showStatus(options: AskOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const folder = resolve(options.home);
  const { homeAt, readOwnerDeferral, readStoredStatus } = await import('@srup/agent');
  const putOff = await readOwnerDeferral(homeAt(folder), Date.now());
  const deferred = putOff && { deferred: putOff };
  const status = await ask(folder, 'status');
  if (status !== undefined) {
    output.result({ running: true, ...status, ...deferred }, () => {
      showRunning(output, status);
      showPutOff(output, putOff);
    });
    return;
  }
  const stored = await readStoredStatus(folder).catch((error: unknown) => {
    throw toUserError(error);
  });
  output.result({ running: false, ...stored, ...deferred }, () => {
    showStored(output, stored, folder);
    showPutOff(output, putOff);
  });
}

const DONE = {
  resign: 'The device tells its server that it leaves; it keeps its identity.',
  deregister: 'The device tells its server that it leaves for good; then it forgets its identity.',
} as const;

/** Deregisters, after the id was typed or `yes`. */
export async function sayGoodbye(options: AskOptions, yes: boolean): Promise<void> {
  const folder = resolve(options.home);
  const id = (await ask(folder, 'status'))?.id;
  if (id !== undefined) {
    await confirmTyped('The identity of this device will be gone for good and never be given again', id, yes);
  }
  await command('deregister', options);
}

/** Tells a running agent what to do. */
export async function command(what: keyof typeof DONE, options: AskOptions): Promise<void> {
  const status = await tell(resolve(options.home), what);
  const output = createOutput(options.json === true);
  output.result({ running: true, ...status }, () => {
    output.line(
      status.id === undefined
        ? 'The key service has ended this identity already: the device has forgotten it.'
        : DONE[what],
    );
  });
}

/** `UserError`: no agent runs there. */
export async function tell(folder: string, what: Ask, code?: string): Promise<AgentStatus> {
  const status = await ask(folder, what, code);
  if (status !== undefined) return status;
  throw new UserError(`no agent runs in ${folder}`, `Start it first: srup agent --home ${folder}`);
}

async function ask(folder: string, what: Ask, code?: string): Promise<AgentStatus | undefined> {
  const { askAgent, homeAt } = await import('@srup/agent');
  try {
    return (await askAgent(homeAt(folder).socket, what, code))?.value as AgentStatus | undefined;
  } catch (error) {
    throw toUserError(error);
  }
}

const PHASES: Readonly<Record<AgentStatus['phase'], Cell>> = {
  enrolling: { text: 'registering with the key service', style: 'yellow' },
  unregistered: { text: 'not registered; "srup agent join" registers it again', style: 'yellow' },
  revoked: { text: 'its identity was revoked; "srup agent join" registers it anew', style: 'red' },
  unknown: {
    text: 'its key service does not know its identity; "srup agent join" registers it anew',
    style: 'red',
  },
  idle: 'not joined',
  asking: { text: 'asks to join', style: 'yellow' },
  joined: { text: 'joined', style: 'green' },
  refused: { text: 'join refused: the server wants another kind of join', style: 'red' },
  failed: { text: 'join refused', style: 'red' },
  left: 'left; "srup agent join" asks to join again',
};

function showRunning(output: Output, status: AgentStatus): void {
  const { software, connected, broker } = status;
  const refused = Object.entries(status.refusals).map(([code, count]) => `${code} ${count}`);
  output.facts([
    [
      'agent',
      `runs, process ${status.pid}, version ${status.version}, since ${relativeTime(status.startedAt)}`,
    ],
    ['identity', status.id],
    ['type', `${status.type} (${status.suite})`],
    ['server', status.server],
    ['standing', PHASES[status.phase]],
    ['trouble', status.trouble && { text: status.trouble.message, style: 'red' }],
    ['broker', broker && `${broker} ${connected ? '(connected)' : '(not connected)'}`],
    ['last word from server', status.heardAt === undefined ? undefined : relativeTime(status.heardAt)],
    ['program', software.program + (software.restarts > 0 ? `, restarted ${software.restarts} times` : '')],
    ['software', software.digest],
    ...status.open.map(({ kind, phase, detail }) => [kind, `${phase} ${detail}`] as const),
    ['messages to send', status.waiting === 0 ? undefined : String(status.waiting)],
    ['messages refused', refused.length === 0 ? undefined : refused.join(', ')],
  ]);
}

function showPutOff(output: Output, putOff: OwnerDeferral | undefined): void {
  if (putOff === undefined) return;
  output.facts([
    ['updates', { text: `put off, ${relativeTime(putOff.until)}: ${putOff.reason}`, style: 'yellow' }],
  ]);
}

function showStored(output: Output, { identity, phase }: StoredStatus, folder: string): void {
  output.facts([
    ['agent', { text: `does not run in ${folder}`, style: 'yellow' }],
    ['identity', identity?.id],
    ['type', identity && `${identity.type} (${identity.suite})`],
    ['server', identity?.server],
    ['standing', identity === undefined && phase === 'enrolling' ? 'not registered yet' : PHASES[phase]],
    ['broker', identity?.broker],
  ]);
}
