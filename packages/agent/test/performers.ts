/** Performers that do nothing but note what they are asked; a test says what comes of it. */
import type { Acted, EffectOf, Installed, Performers } from '../src/engine/performers.ts';
import type { OpenPerformers, Surroundings } from '../src/performers/surroundings.ts';
import type { DataOutcome, FetchOutcome } from '@srup/protocol';

type Asked = EffectOf<'fetch'> | EffectOf<'install'> | EffectOf<'act'> | EffectOf<'deliver'>;

export interface Noted {
  readonly asked: Asked[];
  readonly open: OpenPerformers;
  surroundings: Surroundings | undefined;
  running: boolean;
  fetch: (effect: EffectOf<'fetch'>, signal: AbortSignal) => Promise<FetchOutcome>;
  install: (effect: EffectOf<'install'>, signal: AbortSignal) => Promise<Installed>;
  act: (effect: EffectOf<'act'>, signal: AbortSignal) => Promise<Acted>;
  deliver: (effect: EffectOf<'deliver'>, signal: AbortSignal) => Promise<DataOutcome>;
}

export function notePerformers(): Noted {
  const noted: Noted = {
    asked: [],
    surroundings: undefined,
    running: false,
    fetch: () => Promise.resolve('ok'),
    install: () => Promise.resolve({ outcome: 'active' }),
    act: () => Promise.resolve({ outcome: 'done' }),
    deliver: () => Promise.resolve('taken'),
    open: (surroundings): Performers => {
      noted.surroundings = surroundings;
      return {
        start: () => {
          noted.running = true;
          return Promise.resolve();
        },
        stop: () => {
          noted.running = false;
          return Promise.resolve();
        },
        erase: () => {
          noted.running = false;
          return Promise.resolve();
        },
        fetch: (effect, signal) => {
          noted.asked.push(effect);
          return noted.fetch(effect, signal);
        },
        install: (effect, signal) => {
          noted.asked.push(effect);
          return noted.install(effect, signal);
        },
        act: (effect, signal) => {
          noted.asked.push(effect);
          return noted.act(effect, signal);
        },
        deliver: (effect, signal) => {
          noted.asked.push(effect);
          return noted.deliver(effect, signal);
        },
        running: () => ({ program: noted.running ? 'running' : 'none', restarts: 0 }),
      };
    },
  };
  return noted;
}
