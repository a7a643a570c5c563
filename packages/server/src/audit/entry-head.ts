import type { AuditRow } from '../store/schema/audit.ts';

/** An entry as people see it, without its body. A text that the entry does not have is left out. */
export function entryHead({ seq, at, kind, device, evidence, hash }: AuditRow) {
  return {
    seq,
    at,
    kind,
    ...(device !== '' && { device }),
    ...(evidence !== '' && { evidence }),
    hash,
  };
}
