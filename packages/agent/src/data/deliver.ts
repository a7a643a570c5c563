import type { Log } from '@srup/node';
import type { DataOutcome } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import { inTime } from '../ground/in-time.ts';
import type { CommandResult } from '../program/command.ts';
import { fillCommand } from '../program/environment.ts';
import { reasonOf } from '../ground/trouble.ts';
import { valueOf, type DataHandler, type DataTable } from './data-table.ts';
import { showValue, type Shown } from './values.ts';

export interface DeliverPorts {
  readonly rules: AgentConfig['data'];
  readonly handlers: DataTable;
  /** Timeout of a handler, in milliseconds. */
  readonly timeoutMs: number;
  /** Writes a line for the programs; false when none takes it. */
  readonly write: (text: string) => boolean;
  readonly run: (argv: readonly string[], input: Uint8Array, signal: AbortSignal) => Promise<CommandResult>;
  readonly log: Log;
}

export interface Delivery {
  readonly dataId: string;
  readonly data: Uint8Array;
}

/**
 * Hands DATA from the server to the handler of the program around the agent, or to the configured command, or to the
 * programs that read lines: one JSON line with `id` and one of `text`, `number`, `base64`. `unknown` (3F) when nothing
 * takes it.
 */
export async function deliverData(
  { dataId, data }: Delivery,
  ports: DeliverPorts,
  signal: AbortSignal,
): Promise<DataOutcome> {
  const { types, strict, command } = ports.rules;
  const type = Object.hasOwn(types, dataId) ? types[dataId] : undefined;
  if (type === undefined && strict) return 'unknown';
  const shown = showValue(type, data);
  const handler = ports.handlers.find(dataId);
  if (handler !== undefined) return hand(dataId, shown, handler, ports, signal);
  if (command !== undefined) {
    const { failure, complaint } = await ports.run(fillCommand(command, { id: dataId }), data, signal);
    if (failure !== undefined) ports.log.warn({ dataId, failure, complaint }, 'the command for data failed');
    return failure === undefined ? 'taken' : 'unknown';
  }
  return ports.write(`${JSON.stringify({ id: dataId, ...shown })}\n`) ? 'taken' : 'unknown';
}

async function hand(
  dataId: string,
  shown: Shown,
  handler: DataHandler,
  { timeoutMs, log }: DeliverPorts,
  signal: AbortSignal,
): Promise<DataOutcome> {
  try {
    await inTime((until) => handler(valueOf(shown), dataId, until), timeoutMs, signal);
    return 'taken';
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ dataId, reason: reasonOf(error) }, 'data was not taken');
    return 'unknown';
  }
}
