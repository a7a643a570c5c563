/** What the server answers while it starts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FAULT_STATUS, type FaultKind } from '../api/faults.ts';

/** Seconds after which a client asks again. A large migration can take minutes. */
const RETRY_AFTER_S = '5';
const KIND: FaultKind = 'starting';

/**
 * Refuses a request with 503, in the form of the API's errors and the key service's. It closes the connection, so that
 * a body that trickles can't hold it: nothing limits the time of a body yet.
 */
export function refuseWhileStarting(
  _request: IncomingMessage,
  response: ServerResponse,
  isDatabaseAway: boolean,
): void {
  const message = isDatabaseAway
    ? 'the server waits for its database, and starts when it is there: its log says why'
    : 'the server is starting: ask again in a few seconds';
  response
    .writeHead(FAULT_STATUS[KIND], {
      'content-type': 'application/json; charset=utf-8',
      'retry-after': RETRY_AFTER_S,
      connection: 'close',
    })
    .end(JSON.stringify({ error: KIND, message }));
}
