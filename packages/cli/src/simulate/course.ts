/** What has become of a simulated device, by what its session tells. */
import { openPromise, reasonOf, type EngineEvent, type LinkEvent } from '@srup/agent/parts';
import type { Site } from './site.ts';

export type Standing = 'asking' | 'joined' | 'out' | 'left';

export interface Course {
  onEvent(event: EngineEvent | LinkEvent): void;
  isConnected(): boolean;
  standing(): Standing;
  /** It has joined and told who it is. */
  isIntroduced(): boolean;
  /** Resolves at the first connection. */
  readonly connected: Promise<void>;
  /** Resolves when it is joined, or was turned away. */
  readonly answered: Promise<void>;
  /** Expects that it leaves by its own will: false when it has not left in time, ms. */
  left(withinMs: number): Promise<boolean>;
}

const STANDINGS: Readonly<Record<string, Standing>> = {
  joined: 'joined',
  refused: 'out',
  failed: 'out',
  left: 'left',
};

/**
 * `wasJoined`: it was let in by an earlier run, and has told then who it is. `onDropped`: it was thrown out, and its
 * certificate is revoked soon: it would knock in vain for ever.
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
