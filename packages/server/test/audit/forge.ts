/** What an attacker with the database, and perhaps the server's key, can do to its audit trail. */
import { DatabaseSync } from 'node:sqlite';
import {
  checkpointText,
  contentHash,
  encodeText,
  linkHash,
  NO_LINK,
  readCheckpoint,
  toHex,
  type SignKey,
} from '@srup/protocol';
import { sha256 } from '../../src/chain/hash.ts';
import type { AuditRow } from '../../src/store/schema/audit.ts';

/** Opens the database without the triggers that keep the program from mistakes. */
export function breakIn(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  database.exec('drop trigger audit_no_update; drop trigger audit_no_delete');
  return database;
}

/** Rebuilds places, hashes and signatures from what is in the database now, so that the history contradicts nowhere. */
export function rebuild(database: DatabaseSync, key: SignKey): void {
  const rows = database.prepare('select * from audit order by seq').all() as unknown as AuditRow[];
  const checkpoints = database.prepare('select text from audit_checkpoints order by seq').all();
  const texts = checkpoints.map(({ text }) => readCheckpoint(String(text)));
  database.exec('delete from audit; delete from audit_checkpoints');
  const insert = database.prepare('insert into audit values (?, ?, ?, ?, ?, ?, ?)');
  let hash = NO_LINK;
  const hashes = rows.map((row, index) => {
    const seq = index + 1;
    hash = linkHash(hash, contentHash({ ...row, seq }, sha256), sha256);
    insert.run(seq, row.at, row.kind, row.device, row.evidence, row.body, hash);
    return hash;
  });
  let previous = '';
  let last = 0;
  for (const known of texts) {
    const seq = Math.min(known?.seq ?? 0, rows.length);
    if (known === undefined || seq <= last) continue;
    last = seq;
    const text = checkpointText({ ...known, seq, hash: hashes[seq - 1] ?? '', previous });
    const signature = toHex(key.sign(encodeText(text)));
    database.prepare('insert into audit_checkpoints values (?, ?, ?, ?)').run(seq, known.at, text, signature);
    previous = sha256(text);
  }
}
