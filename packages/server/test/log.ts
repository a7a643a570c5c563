import type { Log } from '@srup/node';

/** A log that a test reads: one text a line, with its level, its words and its fields as JSON. */
export type CollectedLog = Log & { readonly lines: string[] };

export function collectLog(): CollectedLog {
  const lines: string[] = [];
  const keep = (level: keyof Log) => (fields: object, text: string) => {
    lines.push(`${level} ${text} ${JSON.stringify(fields, withStack)}`);
  };
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

function withStack(_name: string, value: unknown): unknown {
  return value instanceof Error ? value.stack : value;
}
