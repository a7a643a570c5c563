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
    fps: REDRAWS_A_SECOND,
    clearOnComplete: true,
    gracefulExit: false, // it would swallow Ctrl-C
  });
  bar.start(total, 0, payload);
  // While the bar is drawn the terminal doesn't wrap lines: it gets back what it had, however the command ends.
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
