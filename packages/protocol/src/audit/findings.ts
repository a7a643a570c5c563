/** What a verification can find wrong, in stable codes. */
export const AUDIT_FAULTS = {
  FORM: 'a line is none of this format, or stands where it may not',
  INCOMPLETE: 'the file ends before its end line: it was cut, or the export was',
  SEQUENCE: 'an entry is missing, doubled or in the wrong place',
  LINK: 'the hash of an entry is not that of its content and of the entry before',
  CHECKPOINT: 'a checkpoint is not signed by the server, or says something else than the entries',
  WITNESS: 'the witness holds a checkpoint that this history does not contain',
  SERVER_KEY: "the history's server key is not the one that was given",
  DEVICE_KEY: 'no usable key of the device came before its message',
  EVIDENCE: 'the bytes of a message are not those that the entry was made for',
  MISSING: 'the bytes of a message are gone, and the history does not say that they may be',
  SIGNATURE: 'a message is not signed by the one that it names',
  CONTENT: 'an entry says something else than its message',
  COUNTER: 'a sequence number was used twice',
  TOKEN: 'a receipt answers nothing that was asked of this device',
} as const;

export type AuditFault = keyof typeof AUDIT_FAULTS;

export interface Finding {
  readonly code: AuditFault;
  /** The entry where it was found; absent if it concerns the whole file. */
  readonly seq?: number;
  readonly device?: string;
  readonly detail: string;
}

/** Findings that the report lists. It counts the rest. */
export const FINDINGS_TOLD = 50;

export interface Findings {
  add(code: AuditFault, detail: string, where?: { readonly seq?: number; readonly device?: string }): void;
  readonly told: readonly Finding[];
  count(): number;
}

export function collectFindings(): Findings {
  const told: Finding[] = [];
  let count = 0;
  return {
    told,
    count: () => count,
    add: (code, detail, { seq, device } = {}) => {
      count += 1;
      if (told.length === FINDINGS_TOLD) return;
      told.push({
        code,
        ...(seq !== undefined && { seq }),
        ...(device !== undefined && device !== '' && { device }),
        detail,
      });
    },
  };
}
