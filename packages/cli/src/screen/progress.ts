import { SingleBar } from 'cli-progress';

export interface Progress {
  add(amount: number): void;
  set(value: number, payload: Readonly<Record<string, string>>): void;
  stop(): void;
}

const REDRAWS_A_SECOND = 8;

/** Shows a bar on stderr if that is a terminal. `format` is that of cli-progress, and `payload` fills its {names}. */
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
    fps: REDRAWS_A_SECOND,
    clearOnComplete: true,
    gracefulExit: false, // it would catch Ctrl-C
  });
  bar.start(total, 0, payload);
  // The bar turns line wrapping off at the terminal; stopping the bar restores it, however the command ends.
  const isHandled = process.listenerCount('SIGINT') > 0;
  const onInterrupt = () => {
    bar.stop();
    if (!isHandled) process.kill(process.pid, 'SIGINT');
  };
  process.once('SIGINT', onInterrupt);
  return {
    add: (amount) => {
      bar.increment(amount);
    },
    set: (value, news) => {
      bar.update(value, news);
    },
    stop: () => {
      process.off('SIGINT', onInterrupt);
      bar.stop();
    },
  };
}
