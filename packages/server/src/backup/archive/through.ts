import { pipeline, type Readable, type Transform } from 'node:stream';

/** Pipes a source through a transform. A failure of either ends both, and the reader of the result gets it. */
export function through(source: Readable, transform: Transform): Readable {
  return pipeline(source, transform, () => undefined);
}
