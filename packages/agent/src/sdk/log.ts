import type { Log } from '@srup/node';

type Level = keyof Log;

function write(level: Level, fields: object, text: string): void {
  // As "srup agent --json-logs" writes them.
  const line = { level, time: Date.now(), component: 'agent', ...fields, msg: text };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** What needs somebody's attention, on stderr, a JSON line each; the rest is left out. */
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
