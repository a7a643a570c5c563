import { resolve } from 'node:path';
import type { AgentStatus, Ask, OwnerDeferral, StoredStatus } from '@srup/agent';
import { confirmTyped } from '../screen/prompts.ts';
import { createOutput, type Cell, type Output } from '../screen/output.ts';
import { relativeTime } from '../screen/words.ts';
import { UserError } from '../user-error.ts';
import { toUserError } from './run.ts';

export interface AskOptions {
  readonly home: string;
  readonly json?: true;
}

/** Runs `srup agent status`: asks the running agent, or reads the files of one that does not run. */
export async function showStatus(options: AskOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const folder = resolve(options.home);
  const { homeAt, readOwnerDeferral, readStoredStatus } = await import('@srup/agent');
  const deferral = await readOwnerDeferral(homeAt(folder), Date.now());
  const deferred = deferral && { deferred: deferral };
  const status = await ask(folder, 'status');
  if (status !== undefined) {
    output.result({ running: true, ...status, ...deferred }, () => {
      output.facts([...factsOfRunning(status), factOf(deferral)]);
    });
    return;
  }
  const stored = await readStoredStatus(folder).catch((error: unknown) => {
    throw toUserError(error);
  });
  output.result({ running: false, ...stored, ...deferred }, () => {
    output.facts([...factsOfStored(stored, folder), factOf(deferral)]);
  });
}

const DONE = {
  resign: 'The device tells its server that it leaves. It keeps its identity.',
  deregister: 'The device tells its server that it leaves for good. Then it deletes its identity.',
} as const;

/** Runs `srup agent deregister`, once the person has typed the id or given `yes`. */
export async function sayGoodbye(options: AskOptions, yes: boolean): Promise<void> {
  const folder = resolve(options.home);
  const id = (await ask(folder, 'status'))?.id;
  if (id !== undefined) {
    await confirmTyped('The identity of this device will be deleted and can never be restored', id, yes);
  }
  await command('deregister', options);
}

/** Gives an order to the running agent. */
export async function command(what: keyof typeof DONE, options: AskOptions): Promise<void> {
  const status = await tell(resolve(options.home), what);
  const output = createOutput(options.json === true);
  output.result({ running: true, ...status }, () => {
    output.line(
      status.id === undefined
        ? 'The key service had already ended this identity: the device has deleted it.'
        : DONE[what],
    );
  });
}

/** Asks the running agent. Throws `UserError` when no agent runs in the folder. */
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

type Fact = Parameters<Output['facts']>[0][number];

const PHASES: Readonly<Record<AgentStatus['phase'], Cell>> = {
  enrolling: { text: 'registering with the key service', style: 'yellow' },
  unregistered: { text: 'not registered; "srup agent join" registers it again', style: 'yellow' },
  revoked: { text: 'its identity was revoked; "srup agent join" registers it again', style: 'red' },
  unknown: {
    text: 'its key service does not know its identity; "srup agent join" registers it again',
    style: 'red',
  },
  idle: 'not joined',
  asking: { text: 'asks to join', style: 'yellow' },
  joined: { text: 'joined', style: 'green' },
  refused: { text: 'join refused: the server needs another kind of join', style: 'red' },
  failed: { text: 'join refused', style: 'red' },
  left: 'left; "srup agent join" asks to join again',
};

function factsOfRunning(status: AgentStatus): Fact[] {
  const { software, connected, broker } = status;
  const refused = Object.entries(status.refusals).map(([code, count]) => `${code} ${count}`);
  const restarts = software.restarts === 1 ? 'once' : `${software.restarts} times`;
  return [
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
    ['program', software.program + (software.restarts > 0 ? `, restarted ${restarts}` : '')],
    ['software', software.digest],
    ...status.open.map(({ kind, phase, detail }) => [kind, `${phase} ${detail}`] as const),
    ['messages to send', status.waiting === 0 ? undefined : String(status.waiting)],
    ['messages refused', refused.length === 0 ? undefined : refused.join(', ')],
  ];
}

function factOf(deferral: OwnerDeferral | undefined): Fact {
  const text = deferral && `deferred, ends ${relativeTime(deferral.until)}: ${deferral.reason}`;
  return ['updates', text === undefined ? undefined : { text, style: 'yellow' }];
}

function factsOfStored({ identity, phase }: StoredStatus, folder: string): Fact[] {
  return [
    ['agent', { text: `does not run in ${folder}`, style: 'yellow' }],
    ['identity', identity?.id],
    ['type', identity && `${identity.type} (${identity.suite})`],
    ['server', identity?.server],
    ['standing', identity === undefined && phase === 'enrolling' ? 'not registered yet' : PHASES[phase]],
    ['broker', identity?.broker],
  ];
}
