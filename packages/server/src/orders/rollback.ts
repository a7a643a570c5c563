/** Where each device of a rollback goes back to (P 10.12). */
import { isDigest } from '@srup/protocol';
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { RanView } from '../api/forms/devices.ts';
import { MOST_ROWS } from '../api/forms/pages.ts';
import type { Fleet } from '../fleet-port.ts';
import type { SoftwareOfDevice } from '../peers/software.ts';

/** The fewest digits that stand for a digest that begins with them. */
const LEAST_PREFIX = 8;
const BEGINNING = /^[0-9a-f]+$/;

/** Where one device goes back to, or why it can't. */
export type WayBack =
  { readonly device: string; readonly digest: string } | { readonly device: string; readonly reason: string };

/**
 * Finds where each device goes back to, in their order, among what it has proven to have run. `to`: a digest, its first
 * 8 digits or more, or a version; absent: what each device ran before. It takes two queries for hundreds of devices.
 *
 * @example
 * const ways = await findWaysBack(fleet, artifacts, ids, '1.4.2');
 */
export async function findWaysBack(
  fleet: Pick<Fleet, 'softwareOf'>,
  artifacts: Pick<Artifacts, 'list'>,
  devices: readonly string[],
  to: string | undefined,
): Promise<readonly WayBack[]> {
  const wanted = to === undefined ? undefined : await readWanted(artifacts, to);
  const known = await fleet.softwareOf(devices);
  return devices.map((device) => ({ device, ...choose(known.get(device) ?? NOTHING, wanted) }));
}

const NOTHING: SoftwareOfDevice = { running: undefined, ran: [] };

interface Wanted {
  readonly text: string;
  fits(digest: string): boolean;
}

async function readWanted(artifacts: Pick<Artifacts, 'list'>, text: string): Promise<Wanted> {
  if (isDigest(text) || (BEGINNING.test(text) && text.length >= LEAST_PREFIX)) {
    return { text, fits: (digest) => digest.startsWith(text) };
  }
  const digests = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await artifacts.list({ search: text, limit: MOST_ROWS, cursor });
    for (const { digest, version } of page.rows) if (version === text) digests.add(digest);
    cursor = page.next;
  } while (cursor !== undefined);
  return { text, fits: (digest) => digests.has(digest) };
}

/** Chooses the newest that fits: of a version that was built twice, the one that this device ran last. */
function choose(
  { running, ran }: SoftwareOfDevice,
  wanted: Wanted | undefined,
): { readonly digest: string } | { readonly reason: string } {
  // No receipt tells of software that came with the device or was installed by hand, but it runs that.
  const now = running ?? ran[0]?.digest;
  if (wanted === undefined) {
    const before = ran.find(({ digest, isWayBack }) => isWayBack && digest !== now);
    return (
      digestOf(before) ?? {
        reason: 'this device has not proven to have run anything before what it runs now',
      }
    );
  }
  const found = digestOf(ran.find(({ digest }) => wanted.fits(digest)));
  if (found === undefined) {
    return { reason: `this device has not proven to have run ${wanted.text}: use an update to get it there` };
  }
  return found.digest === now ? { reason: `this device already runs ${wanted.text}` } : found;
}

function digestOf(ran: RanView | undefined): { readonly digest: string } | undefined {
  return ran && { digest: ran.digest };
}
