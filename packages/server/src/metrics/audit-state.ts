import type { Registry } from 'prom-client';
import type { AuditStatus } from '../api/forms/audit.ts';
import { instruments } from './instruments.ts';

/** The audit trail and its witnesses. Returns how to set it. */
export function auditState(registry: Registry): (status: AuditStatus) => void {
  const { gauge, counter } = instruments(registry);
  const alarms = gauge('srup_audit_alarms', 'Faults that were found in the audit trail; 0: it is intact');
  const entries = gauge('srup_audit_entries', 'Entries of the audit trail');
  const signed = gauge('srup_audit_signed_entries', 'Entries up to the last checkpoint');
  const missing = gauge(
    'srup_audit_witness_missing_entries',
    'Signed entries that a witness has no checkpoint for',
    ['witness'],
  );
  const taken = gauge(
    'srup_audit_witness_last_success_timestamp_seconds',
    'When a witness took a checkpoint; there are new ones only when there are new entries',
    ['witness'],
  );
  const failures = counter(
    'srup_audit_witness_failures_total',
    'Tries since the start in which a witness took nothing',
    ['witness'],
  );
  return (status) => {
    const signedEntries = status.checkpoint?.seq ?? 0;
    alarms.set(status.alarms.length);
    entries.set(status.entries);
    signed.set(signedEntries);
    failures.reset();
    for (const { place: witness, seq, takenAt, failures: count } of status.witnesses) {
      missing.set({ witness }, Math.max(0, signedEntries - seq));
      taken.set({ witness }, (takenAt ?? 0) / 1000);
      failures.inc({ witness }, count);
    }
  };
}
