import { isDigest, isReservedDataId, MAX_MESSAGE_BYTES, type ServerCommand } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';

/**
 * Throws FleetError for a command that is wrong for every device.
 *
 * @example
 * checkCommand({ kind: 'action', actionId: 256 }); // FleetError: an action id is a whole number from 0 to 255
 */
export function checkCommand(command: ServerCommand): void {
  switch (command.kind) {
    case 'update':
      checkUpdate(command);
      break;
    case 'action':
      checkAction(command);
      break;
    case 'data':
      checkData(command);
      break;
    default: // the other commands have nothing but their kind
  }
}

function checkUpdate({ digest, url }: Extract<ServerCommand, { kind: 'update' }>): void {
  if (!isDigest(digest)) throw invalid('a digest is 64 lower-case hex digits (SHA-256)'); // P 2.6
  if (!url.startsWith('https:') || !URL.canParse(url)) throw invalid(`"${url}" is not an https URL`); // P 10.2
}

function checkAction({ actionId }: Extract<ServerCommand, { kind: 'action' }>): void {
  const isByte = Number.isInteger(actionId) && actionId >= 0 && actionId < 256;
  if (!isByte) throw invalid('an action id is a whole number from 0 to 255');
}

function checkData({ dataId, data }: Extract<ServerCommand, { kind: 'data' }>): void {
  if (dataId === '' || dataId.includes('\0')) throw invalid('a data id is a text without NUL');
  if (isReservedDataId(dataId)) throw invalid(`the data id "${dataId}" is the protocol's own`); // P 10.6
  if (data.length > MAX_MESSAGE_BYTES) throw invalid(`data has at most ${MAX_MESSAGE_BYTES} bytes`);
}

function invalid(message: string): FleetError {
  return new FleetError('invalid', message);
}
