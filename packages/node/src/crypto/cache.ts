/** Keeps the `capacity` last used results of a costly pure function. What throws is not kept. */
export function remember<Value>(capacity: number, make: (key: string) => Value): (key: string) => Value {
  const kept = new Map<string, Value>();
  return (key) => {
    let value = kept.get(key);
    if (value === undefined) {
      value = make(key);
      if (kept.size >= capacity) kept.delete(kept.keys().next().value as string);
    } else {
      kept.delete(key); // to the end: the last used is dropped last
    }
    kept.set(key, value);
    return value;
  };
}
