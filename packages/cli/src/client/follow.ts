import type { ExchangeView } from './views.ts';
import { segment, type Api } from './api.ts';
import { liveEvents } from './events.ts';

/** One exchange with one device. */
export interface Target {
  readonly device: string;
  readonly token: string;
}

export interface Follower {
  /**
   * Resolves to what is known about the targets, in their order, once all are settled or the time is over. Rejects with
   * the signal's reason.
   */
  until(targets: readonly Target[], wait: Wait): Promise<readonly (ExchangeView | undefined)[]>;
  stop(): void;
}

export interface Wait {
  readonly isSettled: (view: ExchangeView) => boolean;
  /** Called for each change of a target, including the last one. */
  readonly onChange: (view: ExchangeView) => void;
  /** Milliseconds; no limit by default. */
  readonly limitMs?: number | undefined;
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** The connection broke, and is opened again. */
  readonly onBreak: (reason: string) => void;
  readonly onReturn: () => void;
}

/** After a break, up to this many targets are read one by one; more are read as pages. */
const ASKED_ONE_BY_ONE = 50;

/**
 * Starts to listen before a command is sent, so that no answer is missed: what arrives between the command and `until`
 * is kept. Resolves when the server streams events.
 */
export async function followExchanges(
  api: Api,
  { signal, onBreak, onReturn }: FollowOptions,
): Promise<Follower> {
  const latest = new Map<string, ExchangeView>();
  const stopped = new AbortController();
  const ending = AbortSignal.any([signal, stopped.signal]);
  let wanted: Waiting | undefined;

  function take(view: ExchangeView): void {
    const key = keyOf({ device: view.device, token: view.exchange.token });
    if (wanted !== undefined && !wanted.open.has(key)) return;
    const known = latest.get(key);
    // A page that was read after a break can be older than an event.
    if (known !== undefined && known.updatedAt > view.updatedAt) return;
    latest.set(key, view);
    wanted?.settle(key, view);
  }

  async function listen(onStart: () => void): Promise<void> {
    const events = liveEvents(api, {
      signal: ending,
      onStart,
      onBreak,
      onReturn: () => {
        onReturn();
        lookAgain();
      },
    });
    for await (const event of events) if (event.kind === 'exchange') take(event.change);
    ending.throwIfAborted();
  }

  function lookAgain(): void {
    const open = wanted === undefined ? [] : [...wanted.open.values()];
    // If this fails, the connection has broken again, and its return reads again.
    readAgain(api, open, take).catch(() => undefined);
  }

  let fail: (reason: unknown) => void;
  await new Promise<void>((resolve, reject) => {
    fail = reject;
    listen(resolve).catch((error: unknown) => {
      fail(error);
    });
  });

  return {
    until: (targets, { isSettled, onChange, limitMs }) =>
      new Promise((resolve, reject) => {
        fail = reject;
        ending.throwIfAborted();
        const open = new Map(targets.map((target) => [keyOf(target), target]));
        const timer = limitMs === undefined ? undefined : setTimeout(finish, limitMs);
        function finish(): void {
          clearTimeout(timer);
          resolve(targets.map((target) => latest.get(keyOf(target))));
        }
        const settle = (key: string, view: ExchangeView) => {
          onChange(view);
          if (isSettled(view)) open.delete(key);
          if (open.size === 0) finish();
        };
        wanted = { open, settle };
        if (open.size === 0) finish();
        for (const [key, view] of latest) if (open.has(key)) settle(key, view);
      }),
    stop: () => {
      stopped.abort();
    },
  };
}

interface Waiting {
  readonly open: Map<string, Target>;
  settle(key: string, view: ExchangeView): void;
}

/** Reads what a break in the stream can have hidden. */
async function readAgain(
  api: Api,
  targets: readonly Target[],
  take: (view: ExchangeView) => void,
): Promise<void> {
  if (targets.length <= ASKED_ONE_BY_ONE) {
    for (const { device, token } of targets) {
      take(await api.get<ExchangeView>(`/devices/${device}/exchanges/${segment(token)}`));
    }
    return;
  }
  const missing = new Set(targets.map(keyOf));
  for await (const view of api.rows<ExchangeView>('/exchanges')) {
    if (missing.delete(keyOf({ device: view.device, token: view.exchange.token }))) take(view);
    if (missing.size === 0) return;
  }
}

function keyOf({ device, token }: Target): string {
  return `${device} ${token}`;
}
