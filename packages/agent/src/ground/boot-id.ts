import { readFile } from 'node:fs/promises';

/** Names this start of the system; undefined where the kernel gives it no name. */
export type BootId = () => Promise<string | undefined>;

/** The name that Linux gives. */
export const readBootId: BootId = async () => {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
};
