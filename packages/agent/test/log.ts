import type { Log } from '@srup/node';

export interface LoggedLine {
  readonly level: keyof Log;
  readonly fields: object;
  readonly text: string;
}

/** A log that a test reads; lines are printed too when SRUP_TEST_LOG is set. */
export function makeLog(): Log & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const write = (level: keyof Log) => (fields: object, text: string) => {
    lines.push({ level, fields, text });
    if (process.env['SRUP_TEST_LOG'] !== undefined) console.error(level, text, JSON.stringify(fields));
  };
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
