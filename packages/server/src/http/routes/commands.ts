import { encodeText, fromHex, type ServerCommand } from '@srup/protocol';
import { FleetError } from '../../api/faults.ts';
import type { OrderBody } from '../../api/forms/orders.ts';
import { artifactUrl } from '../../artifacts/url.ts';
import type { Fleet } from '../../fleet-port.ts';
import { writeDouble, writeInt32 } from '../../news/values.ts';
import { rollBack, type RollbackDeps } from '../../orders/rollback.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

type Command = OrderBody['command'];
type Value = Extract<Command, { kind: 'data' }>['value'];

export type CommandDeps = RollbackDeps;

export function commandRoutes(deps: CommandDeps): Handlers<'orderDevices'> {
  return {
    orderDevices: async ({ body, request }) => {
      const devices = await select(deps.fleet, body);
      const { command } = body;
      const by = callerOf(request);
      return command.kind === 'rollback'
        ? rollBack(deps, devices, command.to, by)
        : deps.fleet.command(devices, await commandOf(deps, command), by);
    },
  };
}

/** Rows read at a time while a selection is made. */
const SELECTION_PAGE = 500;

async function select(fleet: Fleet, { devices, type }: OrderBody): Promise<readonly string[]> {
  if (devices !== undefined) return [...new Set(devices)];
  const chosen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await fleet.devices({
      standing: 'joined',
      limit: SELECTION_PAGE,
      ...(type === undefined ? {} : { type }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    chosen.push(...page.rows.map((device) => device.id));
    cursor = page.next;
  } while (cursor !== undefined);
  if (chosen.length === 0) {
    throw new FleetError(
      'not-found',
      `no joined device ${type === undefined ? '' : `of the type "${type}" `}is known`,
    );
  }
  return chosen;
}

async function commandOf(
  deps: CommandDeps,
  command: Exclude<Command, { kind: 'rollback' }>,
): Promise<ServerCommand> {
  switch (command.kind) {
    case 'update': {
      const artifact = await deps.artifacts.find(command.digest);
      if (artifact === undefined) {
        throw new FleetError('not-found', `no artifact ${command.digest} is stored: upload it first`);
      }
      const url = artifactUrl(deps.publicUrl(), artifact.digest);
      return { kind: 'update', url, digest: artifact.digest, activateAtOnce: command.activate };
    }
    case 'data':
      return { kind: 'data', dataId: command.dataId, data: bytesOf(command.value) };
    default:
      return command;
  }
}

/** Numbers are little-endian on the wire (P 2.1, 10.6). */
function bytesOf(value: Value): Uint8Array {
  switch (value.type) {
    case 'text':
      return encodeText(value.text);
    case 'hex':
      return fromHex(value.hex) ?? new Uint8Array();
    case 'int32':
      return writeInt32(value.number);
    case 'double':
      return writeDouble(value.number);
  }
}
