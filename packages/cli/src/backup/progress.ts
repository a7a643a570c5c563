import { showProgress } from '../screen/progress.ts';
import { told } from './faults.ts';

/** Is told what is being done, and how much of how much. */
export type OnProgress<Doing extends string> = (doing: Doing, done: number, total: number) => void;

/**
 * Runs long work with a bar that says what is being done, and turns what a person can solve into a `UserError`.
 *
 * @example
 * const made = await toldWithProgress({ pack: 'packing' }, 'pack', (onProgress) => createBackup({ onProgress }));
 */
export async function toldWithProgress<Doing extends string, Value>(
  words: Readonly<Record<Doing, string>>,
  first: NoInfer<Doing>,
  work: (onProgress: OnProgress<Doing>) => Promise<Value>,
): Promise<Value> {
  const progress = showProgress('{doing} {bar} {percentage}%', 1, { doing: words[first] });
  try {
    return await told(() =>
      work((doing, done, total) => {
        progress.set(done / total, { doing: words[doing] });
      }),
    );
  } finally {
    progress.stop();
  }
}
