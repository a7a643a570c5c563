import { SingleBar } from 'cli-progress';

export interface Progress {
  add(amount: number): void;
  set(value: number, payload: Readonly<Record<string, string>>): void;
  stop(): void;
}

const REDRAWS_A_SECOND = 8;

/** A bar on stderr when somebody looks at it. `format`: as cli-progress takes it; `payload` fills its {names}. */
export function showProgress(
  format: string,
  total: number,
  payload: Readonly<Record<string, string>>,
): Progress {
  if (!process.stderr.isTTY) return { add: () => undefined, set: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    barsize: 30,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    barGlue: '>',
    fps: REDRAWS_A_SECOND,
    clearOnComplete: true,
    // Ctrl-C is the command's matter.
    gracefulExit: false,
  });
  bar.start(total, 0, payload);
  return {
    add: (amount) => {
      bar.increment(amount);
    },
    set: (value, news) => {
      bar.update(value, news);
    },
    stop: () => {
      bar.stop();
    },
  };
}
