/** Keeps the `capacity` results that were used last, of a costly pure function. It keeps no failure. */
export function remember<Value>(capacity: number, make: (key: string) => Value): (key: string) => Value {
  const kept = new Map<string, Value>();
  return (key) => {
    let value = kept.get(key);
    if (value === undefined) {
      value = make(key);
      if (kept.size >= capacity) kept.delete(kept.keys().next().value as string);
    } else {
      kept.delete(key); // it moves to the end: the result used last is dropped last
    }
    kept.set(key, value);
    return value;
  };
}
