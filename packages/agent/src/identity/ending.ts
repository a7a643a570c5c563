import type { Log } from '@srup/node';
import * as v from 'valibot';
import type { Clock } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import { reasonOf } from '../ground/trouble.ts';
import type { Credentials } from '../vault/identity.ts';
import { askStatus } from './calls.ts';
import { isPinned } from './renew.ts';
import { keyServiceAt, type KeyService } from './service.ts';

/** How an identity ended. `unknown`: the key service never knew it, or lost it when it was restored from a backup. */
export type Ending = 'revoked' | 'unknown';

/** The answers of our own service only: a bare 404 can come from anything in between. */
const ENDINGS: Readonly<Record<string, Ending>> = { '410 gone': 'revoked', '404 not-found': 'unknown' };
const refusal = v.object({ error: v.string() });

/** Longest wait for a key service while a person waits, in milliseconds. */
const PATIENCE_MS = 4_000;

/** Asks the key service of its own server whether this identity is over (P 10.8). Undefined when it does not say so. */
export async function askEnding(
  service: KeyService,
  { id, server }: { readonly id: string; readonly server: string },
): Promise<Ending | undefined> {
  const { identity } = await askStatus(service);
  if (identity !== server) return undefined; // the service of another server knows nothing of this device
  const { status, body } = await service.call('GET', `/register/get_key/${id}`);
  const said = v.safeParse(refusal, body);
  return said.success ? ENDINGS[`${status} ${said.output.error}`] : undefined;
}

/** The same while a person waits. Only a service that the owner has pinned is believed (P 8.6). */
export async function findEnding(
  { identity, ca }: Credentials,
  config: AgentConfig,
  { log, clock, signal }: { readonly log: Log; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Ending | undefined> {
  if (!isPinned(config)) return undefined;
  const until = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  using service = keyServiceAt(config.url, ca, clock, until);
  try {
    return await askEnding(service, identity);
  } catch (error) {
    log.info({ reason: reasonOf(error) }, 'the key service could not be asked whether this identity holds');
    return undefined;
  }
}
