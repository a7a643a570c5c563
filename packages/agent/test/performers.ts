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
      const run = (running: boolean) => () => {
        noted.running = running;
        return Promise.resolve();
      };
      const note = <Effect extends Asked, Outcome>(
        effect: Effect,
        signal: AbortSignal,
        outcomeOf: (effect: Effect, signal: AbortSignal) => Promise<Outcome>,
      ): Promise<Outcome> => {
        if (signal.aborted) return Promise.reject(signal.reason as Error);
        noted.asked.push(effect);
        return outcomeOf(effect, signal);
      };
      return {
        start: run(true),
        stop: run(false),
        erase: run(false),
        fetch: (effect, signal) => note(effect, signal, noted.fetch),
        install: (effect, signal) => note(effect, signal, noted.install),
        act: (effect, signal) => note(effect, signal, noted.act),
        deliver: (effect, signal) => note(effect, signal, noted.deliver),
        running: () => ({ program: noted.running ? 'running' : 'none', restarts: 0 }),
      };
    },
  };
  return noted;
}
