/** Where each device of a rollback goes back to, and the commands that say so (P 10.12). */
import { isDigest, type Caller } from '@srup/protocol';
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { CommandReceipt, Fleet, RanView } from '../contract.ts';
import { artifactUrl } from '../http/routes/files.ts';

export interface RollbackDeps {
  readonly fleet: Fleet;
  readonly artifacts: Artifacts;
  /** Where devices fetch from: `https://host:port`. */
  readonly publicUrl: () => string;
}

/** Digits of the beginning of a digest that stand for it. */
const LEAST_PREFIX = 8;
const BEGINNING = /^[0-9a-f]+$/;
const ARTIFACTS_PAGE = 500;

type Choice = { readonly digest: string } | { readonly reason: string };

/**
 * The devices need not fetch anything: what they still hold is found there. `to`: a digest, its beginning, or a
 * version; absent: what each ran before. Receipts come in the order of the devices.
 */
export async function rollBack(
  { fleet, artifacts, publicUrl }: RollbackDeps,
  devices: readonly string[],
  to: string | undefined,
  by: Caller,
): Promise<readonly CommandReceipt[]> {
  const wanted = to === undefined ? undefined : await readWanted(artifacts, to);
  const receipts = new Map<string, CommandReceipt>();
  const byDigest = new Map<string, string[]>();
  for (const device of devices) {
    const running = (await fleet.device(device))?.running?.digest;
    const choice = choose(await fleet.software(device), running, wanted);
    if ('reason' in choice) receipts.set(device, { device, ok: false, reason: choice.reason });
    else byDigest.set(choice.digest, [...(byDigest.get(choice.digest) ?? []), device]);
  }
  for (const [digest, some] of byDigest) {
    const url = artifactUrl(publicUrl(), digest);
    const isStored = (await artifacts.find(digest)) !== undefined;
    const command = { kind: 'update', url, digest, activateAtOnce: true, isRollback: true } as const;
    for (const receipt of await fleet.command(some, command, by)) {
      receipts.set(receipt.device, receipt.ok ? { ...receipt, rollback: { digest, isStored } } : receipt);
    }
  }
  return devices.map((device) => receipts.get(device) as CommandReceipt);
}

interface Wanted {
  readonly text: string;
  fits(digest: string): boolean;
}

async function readWanted(artifacts: Artifacts, text: string): Promise<Wanted> {
  if (isDigest(text) || (BEGINNING.test(text) && text.length >= LEAST_PREFIX)) {
    return { text, fits: (digest) => digest.startsWith(text) };
  }
  const digests = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await artifacts.list({ search: text, limit: ARTIFACTS_PAGE, cursor });
    for (const { digest, version } of page.rows) if (version === text) digests.add(digest);
    cursor = page.next;
  } while (cursor !== undefined);
  return { text, fits: (digest) => digests.has(digest) };
}

/** The newest fit: of a version that was built twice, the one that this device ran last. */
function choose(ran: readonly RanView[], running: string | undefined, wanted: Wanted | undefined): Choice {
  // What came with the device, or was put on it by hand, is what it runs although no receipt says so.
  const now = running ?? ran[0]?.digest;
  if (wanted === undefined) {
    const before = ran.find(({ digest, isWayBack }) => isWayBack && digest !== now);
    return before ?? { reason: 'this device has not proven to have run anything before what it runs now' };
  }
  const found = ran.find(({ digest }) => wanted.fits(digest));
  if (found === undefined) {
    return { reason: `this device has not proven to have run ${wanted.text}: use an update to get it there` };
  }
  return found.digest === now ? { reason: `this device runs ${wanted.text} already` } : found;
}
