import * as v from 'valibot';
import { bytes, count, DAY_SECONDS, MIB, seconds, text } from './forms.ts';

export const fetching = v.strictObject({
  /** Accepts plain http too. For tests only (P 10.2). */
  allowHttp: v.exactOptional(v.boolean(), false),
  /** Hosts that software may come from; absent: any. */
  hosts: v.exactOptional(v.array(text)),
  /** CAs that count for TLS. `auto`: the pinned one for the host of the key service, the system's for other hosts. */
  trust: v.exactOptional(v.picklist(['auto', 'pinned', 'system']), 'auto'),
  maxBytes: v.exactOptional(bytes, 2048 * MIB),
  /** Most bytes of an unpacked tar. */
  maxUnpackedBytes: v.exactOptional(bytes, 4096 * MIB),
  maxEntries: v.exactOptional(count(1, 1_000_000), 50_000),
  maxRedirects: v.exactOptional(count(0, 20), 5),
  /** A transfer that is slower than this over `windowSeconds` counts as no answer. */
  minBytesPerSecond: v.exactOptional(count(0, 1_000_000_000), 256),
  windowSeconds: v.exactOptional(seconds(3600), 60),
  /** Tries after an interruption. Each goes on where the last one stopped. */
  attempts: v.exactOptional(count(1, 1000), 10),
  /** Timeout of one download with all its tries. */
  deadlineSeconds: v.exactOptional(seconds(30 * DAY_SECONDS), DAY_SECONDS),
});
