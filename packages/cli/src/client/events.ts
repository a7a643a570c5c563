/** Reads the server-sent events of the API: the part of the WHATWG HTML standard that the server uses. */
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@srup/node';
import type { FleetEvent } from './views.ts';
import type { Api } from './api.ts';
import { CTL_EXIT, Failure } from '../failure.ts';

/** The longest event in characters; those of the server are far shorter. */
const EVENT_CHARACTERS = 1 << 20;
const BACKOFF = { leastMs: 500, mostMs: 15_000 };

export interface LiveOptions {
  readonly signal: AbortSignal;
  readonly onStart: () => void;
  /** The stream broke, and is opened again. */
  readonly onBreak: (reason: string) => void;
  /** The stream is open again. Events can be missing. */
  readonly onReturn: () => void;
}

/**
 * Yields events from now until the signal, across breaks. Throws when the first connection fails, or when the server no
 * longer accepts the token.
 */
export async function* liveEvents(
  api: Api,
  { signal, onStart, onBreak, onReturn }: LiveOptions,
): AsyncGenerator<FleetEvent, void> {
  let since: number | undefined;
  let hasStarted = false;
  let failures = 0;
  const isOver = () => signal.aborted;
  while (!isOver()) {
    let reason = 'the server ended the stream';
    try {
      const answer = await api.stream('/events', { since }, signal);
      if (hasStarted) onReturn();
      else onStart();
      hasStarted = true;
      failures = 0;
      for await (const event of eventsOf(answer)) {
        since = event.seq;
        yield event;
      }
    } catch (error) {
      if (isOver()) return;
      if (!hasStarted || isFinal(error)) throw error;
      reason = (error as Error).message;
    }
    if (failures === 0) onBreak(reason);
    failures += 1;
    await sleep(backoffMs(failures, BACKOFF, Math.random()), undefined, { signal }).catch(() => undefined); // the signal ends the wait
  }
}

/** Whether a retry is useless: it helps only when the server can't be reached. */
function isFinal(error: unknown): boolean {
  return error instanceof Failure && error.exitCode !== CTL_EXIT.unreachable;
}

/** Yields the events in one answer. Drops comments (heartbeats) and half an event at the end. */
export async function* eventsOf(
  answer: IncomingMessage | AsyncIterable<Buffer>,
): AsyncGenerator<FleetEvent, void> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const blocks = (rest + decoder.write(chunk)).split(/\r?\n\r?\n/);
    rest = blocks.pop() as string;
    if (rest.length > EVENT_CHARACTERS) throw new Error('the server sent an event without an end');
    for (const block of blocks) {
      const data = block
        .split(/\r?\n/)
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []));
      if (data.length > 0) yield JSON.parse(data.join('\n')) as FleetEvent;
    }
  }
}
