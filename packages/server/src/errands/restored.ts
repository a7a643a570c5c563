/** The first start after a restore (P 5.1) asks every device what it is, which brings both ends' numbers together. */
import { RESTORE } from '../api/callers.ts';
import { dropRestore, findRestore } from '../backup/note.ts';
import type { Fleet } from '../fleet-port.ts';
import { hastenAnswers } from '../turn/hasten.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';
import type { Endings } from './end-identity.ts';

/** Devices asked at once. */
const DEVICES_AT_ONCE = 200;
/** Time over which all devices that owe an answer are asked again, in milliseconds. */
const HASTE_SPREAD_MS = 2_000;

/**
 * Lets go of the devices that were revoked after the backup, before anything is sent. Errands end their identities.
 *
 * @example
 * await letGoOfRevoked({ store, lanes }, endings);
 */
export async function letGoOfRevoked(
  { store, lanes }: Pick<TurnPorts, 'store' | 'lanes'>,
  endings: Pick<Endings, 'letGo'>,
): Promise<void> {
  const restore = await findRestore(store.read);
  for (const device of restore?.revoked ?? [])
    await lanes.run(deviceOwner(device), () => endings.letGo(device, RESTORE));
}

/**
 * Asks every joined device what it is. What a device said after the backup is unknown here, so an attacker could repeat
 * it until the device itself says something newer. Its answer ends that, and shows which devices are still ours.
 *
 * @example
 * await greetAfterRestore({ store, clock, log }, fleet, { isStopped, onHastened });
 */
export async function greetAfterRestore(
  { store, clock, log }: Pick<TurnPorts, 'store' | 'clock' | 'log'>,
  fleet: Pick<Fleet, 'devices' | 'command'>,
  { isStopped, onHastened }: { readonly isStopped: () => boolean; readonly onHastened: () => void },
): Promise<void> {
  const restore = await findRestore(store.read);
  if (restore === undefined) return;
  const { backupOf } = restore;
  log.warn(
    { backupOf: new Date(backupOf).toISOString() },
    'this server was restored from a backup: what happened since is unknown here; all devices are asked what they are',
  );
  // Answers that came since went to the server that is gone: a broker elsewhere keeps none of them.
  const now = clock.now();
  await store.commit((write) => hastenAnswers(write, now, { spreadMs: HASTE_SPREAD_MS }));
  onHastened();
  let cursor: string | undefined;
  do {
    const page = await fleet.devices({
      standing: 'joined',
      limit: DEVICES_AT_ONCE,
      ...(cursor !== undefined && { cursor }),
    });
    await fleet.command(
      page.rows.map(({ id }) => id),
      { kind: 'identify' },
      RESTORE,
    );
    cursor = page.next;
    // The next start asks all devices again. A second question does no harm.
    if (isStopped()) return;
  } while (cursor !== undefined);
  await store.commit(dropRestore);
}
