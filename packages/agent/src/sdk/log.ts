import type { Log } from '@srup/node';

type Level = keyof Log;

function write(level: Level, fields: object, text: string): void {
  // The form of `srup agent --json-logs`.
  const line = { level, time: Date.now(), component: 'agent', ...fields, msg: text };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** Writes warnings and errors to stderr, one JSON line each, and drops the rest. */
export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields, text) => {
    write('warn', fields, text);
  },
  error: (fields, text) => {
    write('error', fields, text);
  },
};
