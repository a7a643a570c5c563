import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentStatus } from '@srup/agent';
import { createOutput } from '../screen/output.ts';
import { UserError } from '../user-error.ts';
import { tell, type AskOptions } from './ask.ts';
import { codeOf } from './settings.ts';

/** How long a person waits for a registration, in milliseconds. */
const WAIT = { mostMs: 15_000, lookMs: 200 };

/** Runs `srup agent join`: joins again, or registers again under another identity, and reports the outcome. */
export async function joinAgain(options: AskOptions & { readonly enrolmentCode?: string }): Promise<void> {
  const folder = resolve(options.home);
  const before = await tell(folder, 'status');
  let status = await tell(folder, 'join', codeOf(options));
  const end = Date.now() + WAIT.mostMs;
  while (status.phase === 'enrolling' && Date.now() < end) {
    await sleep(WAIT.lookMs);
    status = await tell(folder, 'status');
  }
  if (status.trouble !== undefined) {
    const { message, hint = 'See the log of the agent.' } = status.trouble;
    throw new UserError(`the device could not register, and runs without: ${message}`, hint);
  }
  const output = createOutput(options.json === true);
  output.result({ running: true, ...status }, () => {
    output.line(describe(before, status));
  });
}

function describe(before: AgentStatus, { id, phase, connected, url }: AgentStatus): string {
  if (id === undefined) {
    return `The device is registering: ${url} has not accepted it yet. It retries, and its log says what it waits for.`;
  }
  const news = id === before.id ? '' : `The device has registered as ${id}. `;
  if (phase === 'joined') return `${news}It is joined.`;
  return `${news}It asks to join${connected || news !== '' ? '' : ' as soon as it reaches its broker'}.`;
}
