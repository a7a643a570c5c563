import * as v from 'valibot';
import { bytes, count, DAY_SECONDS, MIB, seconds, text } from './forms.ts';

export const fetching = v.strictObject({
  /** Plain http is taken too: for tests only (P 10.2). */
  allowHttp: v.exactOptional(v.boolean(), false),
  /** Hosts that software may come from; absent: any. */
  hosts: v.exactOptional(v.array(text)),
  /** Whose TLS certificates count: `auto`, the pinned CA for the key service's host and the system's for others. */
  trust: v.exactOptional(v.picklist(['auto', 'pinned', 'system']), 'auto'),
  maxBytes: v.exactOptional(bytes, 2048 * MIB),
  /** Of a tar, unpacked. */
  maxUnpackedBytes: v.exactOptional(bytes, 4096 * MIB),
  maxEntries: v.exactOptional(count(1, 1_000_000), 50_000),
  maxRedirects: v.exactOptional(count(0, 20), 5),
  /** Slower than this, over `windowSeconds`, counts as no answer. */
  minBytesPerSecond: v.exactOptional(count(0, 1_000_000_000), 256),
  windowSeconds: v.exactOptional(seconds(3600), 60),
  /** Tries after an interruption, each going on where the last one stopped. */
  attempts: v.exactOptional(count(1, 1000), 10),
  /** For one download with all its tries. */
  deadlineSeconds: v.exactOptional(seconds(30 * DAY_SECONDS), DAY_SECONDS),
});
