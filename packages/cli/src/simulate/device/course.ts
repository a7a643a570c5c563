/** Follows what becomes of a simulated device, from the events of its session. */
import { openPromise, reasonOf, type EngineEvent, type LinkEvent } from '@srup/agent/parts';
import type { Site } from '../site.ts';

export type Standing = 'asking' | 'joined' | 'out' | 'left';

export interface Course {
  onEvent(event: EngineEvent | LinkEvent): void;
  isConnected(): boolean;
  standing(): Standing;
  /** Whether it has joined and identified itself. */
  isIntroduced(): boolean;
  /** Resolves at the first connection. */
  readonly connected: Promise<void>;
  /** Resolves when it has joined or was refused. */
  readonly answered: Promise<void>;
  /** Waits until it has left of its own accord; false when it has not left in time, ms. */
  left(withinMs: number): Promise<boolean>;
}

const STANDINGS: Readonly<Record<string, Standing>> = {
  joined: 'joined',
  refused: 'out',
  failed: 'out',
  left: 'left',
};

/**
 * Starts to follow a device. `wasJoined`: it joined and identified itself in an earlier run. `onDropped` is called when
 * the server has dropped it: its certificate is about to be revoked, and further connections would all fail.
 */
export function followEvents(
  { meter, keep }: Site,
  number: number,
  wasJoined: boolean,
  onDropped: () => unknown,
): Course {
  const began = performance.now();
  const connected = openPromise<undefined>();
  const answered = openPromise<undefined>();
  const left = openPromise<boolean>();
  let connectedAt: number | undefined;
  let isConnected = false;
  let standing: Standing = wasJoined ? 'joined' : 'asking';
  let wasIdentified = wasJoined;
  let isLeaving = false;

  function onJoin(next: Standing): void {
    if (next === 'joined' && standing === 'asking' && connectedAt !== undefined)
      meter.time('join', performance.now() - connectedAt);
    standing = next;
    if (next !== 'asking') answered.resolve(undefined);
  }

  function onEvent(event: EngineEvent | LinkEvent): void {
    switch (event.what) {
      case 'connected':
        if (connectedAt === undefined) meter.time('connect', performance.now() - began);
        connectedAt ??= performance.now();
        isConnected = true;
        connected.resolve(undefined);
        break;
      case 'disconnected':
        isConnected = false;
        meter.trouble(`disconnected: ${event.reason}`);
        break;
      case 'join':
        onJoin(STANDINGS[event.phase] ?? 'asking');
        break;
      case 'refused':
        meter.refused(event.code);
        break;
      case 'accepted':
        if (event.type === 'ID_REQUEST') wasIdentified = true;
        break;
      case 'dropped':
        left.resolve(true);
        keep.forget(number).catch((error: unknown) => {
          meter.trouble(reasonOf(error));
        });
        if (!isLeaving) onDropped();
        break;
    }
  }

  return {
    onEvent,
    isConnected: () => isConnected,
    standing: () => standing,
    isIntroduced: () => standing === 'joined' && wasIdentified,
    connected: connected.promise,
    answered: answered.promise,
    left: async (withinMs) => {
      isLeaving = true;
      const late = setTimeout(() => {
        left.resolve(false);
      }, withinMs);
      const isConfirmed = await left.promise;
      clearTimeout(late);
      return isConfirmed;
    },
  };
}
