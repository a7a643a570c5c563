/** Tries out whether a broker refuses a revoked certificate, instead of believing it (P 8.3). */
import type { Credential } from '../../authority/authority.ts';
import type { RevocationView } from '../../api/forms/broker.ts';
import { connectOnce } from './connect-once.ts';

export type Finding = Omit<RevocationView, 'since'>;

const BEHIND =
  'it has not read the newest revocation list: make it read its files again (SIGHUP); with --broker-reload the server does that from now on';

/** A broker refuses a certificate that only the newest list names if it has read that list, and otherwise accepts it. */
export async function lookAtBroker(
  broker: { readonly url: string; readonly ca: string },
  { key, chain }: Credential,
): Promise<Finding> {
  const { url, ca } = broker;
  const { refused } = await connectOnce({ url, ca, cert: chain, key, clientId: 'SRUP canary' });
  if (refused === undefined) return { state: 'behind', problem: BEHIND };
  if (/revoked/i.test(refused)) return { state: 'current' };
  return { state: 'unproven', problem: `it can't be tried out: ${refused}` };
}
