/** A promise that somebody else settles. */
export interface OpenPromise<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/**
 * Gives a promise and the function that resolves it.
 *
 * @example
 * const joined = openPromise<undefined>();
 * link.onJoin = () => joined.resolve(undefined);
 * await joined.promise;
 */
export function openPromise<T>(): OpenPromise<T> {
  let settle: ((value: T) => void) | undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}
