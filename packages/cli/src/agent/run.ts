import { resolve } from 'node:path';
import type { AgentError, AgentEvent } from '@srup/agent';
import { createLog, endInForm } from '../service/log.ts';
import { untilAskedToStop } from '../service/stop.ts';
import { UserError } from '../user-error.ts';
import { forgetCode, keepCode, settle, type SettingOptions } from './settings.ts';

export interface RunOptions extends SettingOptions {
  readonly home: string;
  readonly logLevel?: string;
  readonly jsonLogs?: true;
}

/** When memory is collected after the start, in milliseconds: once soon, and once more. */
const TIDY = { firstMs: 10_000, thenMs: 3_600_000 };

/** Collects what the start leaves in memory. Later so little happens that the engine would not collect it for days. */
function keepTidy(): void {
  const { gc } = globalThis; // defined in a program that was started with little memory
  if (gc === undefined) return;
  const tidy = () => {
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  };
  setTimeout(tidy, TIDY.firstMs).unref();
  setInterval(tidy, TIDY.thenMs).unref();
}

/** Runs the agent until it is asked to stop. */
export function runAgent(options: RunOptions): Promise<void> {
  return endInForm('agent', options.jsonLogs === true, () => run(options));
}

async function run(options: RunOptions): Promise<void> {
  const folder = resolve(options.home);
  const { config, isFirst } = await settle(folder, options);
  const { createPerformers, startAgent } = await import('@srup/agent');
  const log = await createLog('agent', options.logLevel ?? config.logLevel, options.jsonLogs === true);
  let isNew = isFirst;
  let refuse: (error: AgentError) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => (refuse = reject));
  refused.catch(() => undefined); // whoever waits for it gets the error
  const onEvent = (event: AgentEvent) => {
    // At the very first start a person watches. Later a device runs its program whatever the server answers.
    if (event.what === 'unregistered' && isNew) refuse(event.error);
    if (event.what !== 'enrolled') return;
    isNew = false;
    forgetCode(folder).catch((error: unknown) => {
      log.warn({ reason: String(error) }, 'the enrolment code is still in agent.json');
    });
  };
  const asked = untilAskedToStop();
  try {
    const agent = await startAgent({
      ...{ config, home: folder, log, openPerformers: createPerformers, onEvent },
      keepCode: (code) => keepCode(folder, code),
    });
    log.info({ home: folder, pid: process.pid }, 'the agent runs');
    keepTidy();
    try {
      await Promise.race([agent.ended, asked, refused]);
      log.info({}, 'stopping');
    } finally {
      await agent.stop();
    }
  } catch (error) {
    throw toUserError(error);
  }
}

/** Turns an error of the agent that a person has to solve into a `UserError`. */
export function toUserError(error: unknown): unknown {
  if (!(error instanceof Error) || !['AgentError', 'PassingTrouble'].includes(error.name)) return error;
  const { hint } = error as Error & Pick<AgentError, 'hint'>;
  return new UserError(error.message, hint ?? 'See the log above.');
}
