import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { encodeText, fromHex, type ServerCommand } from '@srup/protocol';
import type { z } from 'zod';
import type { Fleet } from '../../contract.ts';
import { writeDouble, writeInt32 } from '../../news/values.ts';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';
import { rollBack, type RollbackDeps } from '../../orders/rollback.ts';
import { commandBody, receipts } from '../../api/forms.ts';
import { artifactUrl } from './files.ts';

type Body = z.infer<typeof commandBody>;
type Value = Extract<Body['command'], { kind: 'data' }>['value'];

export type CommandDeps = RollbackDeps;

export function commandRoutes(deps: CommandDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/commands',
      {
        config: { role: 'operator' },
        schema: {
          tags: ['commands'],
          summary:
            'Command one, some or all joined devices; each gets its own signed message and token (P 10.9)',
          description:
            'The messages are signed and stored before the answer; a receipt says "accepted here", not "done".',
          body: commandBody,
          response: { 202: receipts },
        },
      },
      async (request, reply) => {
        const devices = await select(deps.fleet, request.body);
        const { command } = request.body;
        const by = callerOf(request);
        const sent =
          command.kind === 'rollback'
            ? await rollBack(deps, devices, command.to, by)
            : await deps.fleet.command(devices, await commandOf(deps, command), by);
        return reply.status(202).send(sent);
      },
    );
  };
}

/** Rows read at a time while a selection is made. */
const SELECTION_PAGE = 500;

async function select(fleet: Fleet, { devices, type }: Body): Promise<readonly string[]> {
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
    throw new RequestError(
      404,
      'not-found',
      `no joined device ${type === undefined ? '' : `of the type "${type}" `}is known`,
    );
  }
  return chosen;
}

async function commandOf(
  deps: CommandDeps,
  command: Exclude<Body['command'], { kind: 'rollback' }>,
): Promise<ServerCommand> {
  switch (command.kind) {
    case 'update': {
      const artifact = await deps.artifacts.find(command.digest);
      if (artifact === undefined) {
        throw new RequestError(404, 'not-found', `no artifact ${command.digest} is stored: upload it first`);
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
