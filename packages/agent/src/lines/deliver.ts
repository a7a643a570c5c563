import type { DataOutcome } from '@srup/protocol';
import type { AgentConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { CommandResult } from '../run/command.ts';
import { fillCommand } from '../run/environment.ts';
import { showValue } from './values.ts';

export interface DeliverPorts {
  readonly rules: AgentConfig['data'];
  /** A line for the program's stdin; false when it can't take it. */
  readonly write: (text: string) => boolean;
  readonly run: (argv: readonly string[], input: Uint8Array, signal: AbortSignal) => Promise<CommandResult>;
  readonly log: Log;
}

export interface Delivery {
  readonly dataId: string;
  readonly data: Uint8Array;
}

/**
 * DATA from the server, to the configured command or the program's stdin, as one JSON line with `id` and one of
 * `text`, `number`, `base64`. `unknown` (3F) when nobody takes it.
 */
export async function deliverData(
  { dataId, data }: Delivery,
  ports: DeliverPorts,
  signal: AbortSignal,
): Promise<DataOutcome> {
  const { types, strict, command, stdin } = ports.rules;
  const type = Object.hasOwn(types, dataId) ? types[dataId] : undefined;
  if (type === undefined && strict) return 'unknown';
  if (command !== undefined) {
    const { failure, complaint } = await ports.run(fillCommand(command, { id: dataId }), data, signal);
    if (failure !== undefined) ports.log.warn({ dataId, failure, complaint }, 'the command for data failed');
    return failure === undefined ? 'taken' : 'unknown';
  }
  const line = `${JSON.stringify({ id: dataId, ...showValue(type, data) })}\n`;
  return stdin && ports.write(line) ? 'taken' : 'unknown';
}
