/** Ends the session of a device at a broker that is not ours (P 10.8). */
import type { Secret } from '@srup/node';
import { identityText, mqttClientId, type Identity } from '@srup/protocol';
import type { Credential } from '../../authority/authority.ts';
import { SESSIONS_USER } from '../../vault/broker-access.ts';
import { connectOnce } from './connect-once.ts';

/** Where `SESSIONS_USER` may connect under any client id. */
export interface SessionsAccess {
  readonly url: string;
  readonly password: Secret;
}

/**
 * Connects under the client id of the device with a clean session: the device's own session is over then, and all that
 * waits in it is gone. Rejects when the broker refuses the connection.
 */
export async function endSession(
  { url, password }: SessionsAccess,
  ca: string,
  { key, chain }: Credential,
  id: Identity,
): Promise<void> {
  const login = { username: SESSIONS_USER, password };
  // A broker with use_username_as_clientid calls it by its identity; otherwise it has the client id that it gave.
  for (const clientId of [identityText(id), mqttClientId(id)]) {
    const { refused } = await connectOnce({ ...login, url, ca, cert: chain, key, clientId });
    if (refused !== undefined) throw new Error(`its session at the broker could not be ended: ${refused}`);
  }
}
