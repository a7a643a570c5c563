/**
 * Who was revoked after the backup (P 10.8): the backup can't know, the newest revocation list does. It names
 * certificates; whose they are is known of those that the backup has.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { writeFileAtomic } from '@srup/node';
import { CERTIFICATE_DAYS } from '../authority/authority.ts';
import { DAY_MS } from '../authority/ca.ts';
import { readCrl, type RevocationList } from '../authority/crl.ts';
import type { NewKeyEvent } from '../keyservice/events.ts';
import { BackupError } from './fault.ts';

const CRL = join('key-service', 'crl.pem');
const CANARY = join('key-service', 'canary.pem');
const FIND_NEWEST =
  'Name the newest one: key-service/crl.pem of the old folder, or the file that the broker reads (crlfile).';

export interface NewlyRevoked {
  /** Identities that are revoked now. */
  readonly revoked: readonly string[];
  /** Identities whose certificates in the backup had all ended when the list was made: it can't tell of them. */
  readonly unclear: readonly string[];
}

/**
 * Takes the list in `file` as this folder's last one, after checks. Without a file the folder keeps its own. Either
 * way the first start makes a new list with a new canary: a broker may have read newer ones than are known here.
 */
export async function adoptCrl(work: string, file: string | undefined): Promise<RevocationList | undefined> {
  await rm(join(work, CANARY), { force: true });
  if (file === undefined) return undefined;
  const pem = await readFile(file, 'utf8');
  const ca = await readFile(join(work, 'authority', 'ca.pem'), 'utf8');
  const list = readCrl(pem, ca);
  if (list === undefined)
    throw new BackupError(`${file} is no revocation list by the CA of this server. ${FIND_NEWEST}`);
  const own = readCrl(await readFile(join(work, CRL), 'utf8').catch(() => ''), ca);
  if (own !== undefined && list.number < own.number)
    throw new BackupError(`${file} is older than the revocation list in the backup. ${FIND_NEWEST}`);
  // A broker that is started before the server reads it here.
  await writeFileAtomic(join(work, CRL), pem);
  return list;
}

/** Puts into force what the list has and the backup has not. `now`: ms since 1970. */
export function revokeListed(keyService: DatabaseSync, list: RevocationList, now: number): NewlyRevoked {
  const madeAt = Number(list.number);
  const isKnown = keyService.prepare('select 1 from certificates where serial = ?');
  const revoke = keyService.prepare(
    'update certificates set revoked_at = ? where serial = ? and revoked_at is null',
  );
  const keep = keyService.prepare(
    'insert into foreign_revocations (serial, revoked_at, not_after) values (?, ?, ?) on conflict do nothing',
  );
  const end = keyService.prepare("update identities set state = 'revoked', expires_at = null where id = ?");
  const tell = keyService.prepare('insert into audit_events (at, event) values (?, ?)');
  const before = withoutCertificate(keyService, madeAt);
  for (const { serial, revokedAt } of list.entries) {
    if (isKnown.get(serial) !== undefined) revoke.run(revokedAt, serial);
    // Issued after the backup, and so over after the longest life of a certificate from now.
    else keep.run(serial, revokedAt, now + CERTIFICATE_DAYS * DAY_MS);
  }
  const revoked = [...withoutCertificate(keyService, madeAt)].filter((id) => !before.has(id));
  for (const device of revoked) {
    end.run(device);
    const event: NewKeyEvent = { kind: 'identity', at: now, device, body: { change: 'revoked' } };
    tell.run(now, JSON.stringify(event));
  }
  return { revoked, unclear: [...before] };
}

/** Identities that are certified, and none of whose certificates held then. */
function withoutCertificate(keyService: DatabaseSync, then: number): Set<string> {
  const rows = keyService
    .prepare(
      `select id from identities where state = 'certified' and not exists (
        select 1 from certificates where identity = id and revoked_at is null and not_after > ?)`,
    )
    .all(then) as { id: string }[];
  return new Set(rows.map(({ id }) => id));
}
