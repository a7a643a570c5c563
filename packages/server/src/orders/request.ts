import { encodeText, fromHex, writeDataValue, type ServerCommand } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import type { OrderBody } from '../api/forms/orders.ts';
import type { Artifacts } from '../artifacts/artifacts.ts';
import { artifactUrl } from '../artifacts/url.ts';

type Requested = OrderBody['command'];
type DataValue = Extract<Requested, { kind: 'data' }>['value'];

/**
 * Makes the command that a request means. Rejects with FleetError for an update to an artifact that is not stored.
 *
 * @param server where devices fetch software from the server, `https://host:port`
 *
 * @example
 * await commandFor(artifacts, server, { kind: 'update', digest, activate: true });
 */
export async function commandFor(
  artifacts: Pick<Artifacts, 'find'>,
  server: string,
  requested: Exclude<Requested, { kind: 'rollback' }>,
): Promise<ServerCommand> {
  switch (requested.kind) {
    case 'update': {
      const { digest, activate } = requested;
      if ((await artifacts.find(digest)) === undefined)
        throw new FleetError(
          'not-found',
          `no artifact ${digest} is stored: give the file itself, or upload it first`,
        );
      return { kind: 'update', url: artifactUrl(server, digest), digest, activateAtOnce: activate };
    }
    case 'data':
      return { kind: 'data', dataId: requested.dataId, data: bytesOf(requested.value) };
    default:
      return requested;
  }
}

function bytesOf(value: DataValue): Uint8Array {
  switch (value.type) {
    case 'text':
      return encodeText(value.text);
    case 'hex':
      return fromHex(value.hex) ?? new Uint8Array();
    case 'int32':
    case 'double':
      return writeDataValue({ kind: value.type, value: value.number }); // P 10.6
  }
}
