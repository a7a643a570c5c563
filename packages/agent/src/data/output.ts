import type { Log } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { DataType } from '../config/data.ts';
import type { ProgramReport } from '../engine/report.ts';
import type { OutputName } from '../program/supervisor.ts';
import { type BucketSize, createTokenBucket } from './bucket.ts';
import { type Reading, readLine } from './readings.ts';
import { createLineSplitter } from './splitter.ts';

export interface OutputOptions {
  readonly types: Readonly<Record<string, DataType>>;
  readonly report: ProgramReport;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was dropped since the agent started, by cause. */
export interface Drops {
  /** Lines that were too long. */
  long: number;
  /** Readings and lines that came too fast. */
  fast: number;
  /** Readings that found no room among the messages that wait for the server. */
  full: number;
  /** Readings with a reserved id, or a value that does not fit its type. */
  bad: number;
}

export interface ProgramOutput {
  /** Takes what the supervised program writes. */
  readonly take: (name: OutputName, chunk: Uint8Array) => void;
  /** Takes the lines of one more program. All programs share one rate. */
  readonly listen: () => (chunk: Uint8Array) => void;
  drops(): Readonly<Drops>;
}

const READINGS: BucketSize = { perSecond: 20, burst: 100 };
const LOG_LINES: BucketSize = { perSecond: 50, burst: 500 };
/** Most readings that wait to be stored. */
const MAX_PENDING = 256;
/** Drops are logged at most this often, in milliseconds. */
const TELL_EVERY_MS = 60_000;
/** Characters of a line that go to the log. */
const MAX_LOG_CHARACTERS = 1000;

/** Turns what programs write into DATA and log lines, at a bounded rate: a program in a loop can't drown the device. */
export function createProgramOutput({ types, report, clock, log }: OutputOptions): ProgramOutput {
  const start = clock.monotonic();
  const readings = createTokenBucket(READINGS, start);
  const logLines = createTokenBucket(LOG_LINES, start);
  const drops: Drops = { long: 0, fast: 0, full: 0, bad: 0 };
  let toldAt = -Infinity;
  let pending = 0;
  let sending: Promise<void> = Promise.resolve();

  function drop(cause: keyof Drops): void {
    drops[cause] += 1;
    const now = clock.monotonic();
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    log.warn({ drops: { ...drops } }, 'output of the program dropped');
  }

  async function send({ dataId, data }: Reading): Promise<void> {
    try {
      if ((await report(dataId, data)) === 'full') drop('full');
    } finally {
      pending -= 1;
    }
  }

  function takeReading(reading: Reading): void {
    if (pending >= MAX_PENDING || !readings.take(clock.monotonic())) {
      drop('fast');
      return;
    }
    pending += 1;
    // In the order in which they were written.
    sending = sending
      .then(() => send(reading))
      .catch((error: unknown) => {
        log.error({ reason: String(error) }, 'a reading could not be reported');
      });
  }

  function takeLine(from: OutputName | 'socket', line: string): void {
    const found =
      from === 'stderr'
        ? undefined
        : readLine(line, types, () => {
            drop('bad');
          });
    if (found !== undefined) found.forEach(takeReading);
    else if (line.trim() === '') return;
    else if (logLines.take(clock.monotonic())) log.info({ from }, line.slice(0, MAX_LOG_CHARACTERS));
    else drop('fast');
  }

  const onLong = () => {
    drop('long');
  };
  const splitters = { stdout: createLineSplitter(onLong), stderr: createLineSplitter(onLong) };
  return {
    take(name, chunk) {
      for (const line of splitters[name].push(chunk)) takeLine(name, line);
    },
    listen() {
      const splitter = createLineSplitter(onLong);
      return (chunk) => {
        for (const line of splitter.push(chunk)) takeLine('socket', line);
      };
    },
    drops: () => drops,
  };
}
