import type { Disk } from '../src/vault/disk.ts';

type Trouble = 'before' | 'half' | 'after';

export interface BreakableDisk {
  readonly disk: Disk;
  /**
   * Makes a write fail as on a full disk. `before`: nothing is written. `half`: half of it is. `after`: all of it is
   * written, and then reported as failed.
   */
  readonly broken: { replace?: Exclude<Trouble, 'half'>; append?: Trouble };
}

/** A disk in memory, in place of the real one. */
export function memoryDisk(): Disk {
  const files = new Map<string, Uint8Array>();
  return {
    read: (path) => Promise.resolve(files.get(path)),
    replace: (path, data) => {
      files.set(path, Uint8Array.from(data)); // a copy: slice of a Buffer is none
      return Promise.resolve();
    },
    extend: (path) => {
      const append = (data: Uint8Array) => {
        files.set(path, Buffer.concat([files.get(path) as Uint8Array, data]));
        return Promise.resolve();
      };
      return files.has(path)
        ? Promise.resolve({ append, close: () => Promise.resolve() })
        : Promise.reject(new Error(`ENOENT: ${path}`));
    },
  };
}

/** A disk that a test can make fail. */
export function breakable(whole: Disk): BreakableDisk {
  const broken: BreakableDisk['broken'] = {};
  const refuse = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  const disk: Disk = {
    read: whole.read,
    replace: async (path, data) => {
      if (broken.replace === 'before') refuse();
      await whole.replace(path, data);
      if (broken.replace === 'after') refuse();
    },
    extend: async (path) => {
      const { append, close } = await whole.extend(path);
      return {
        append: async (data) => {
          if (broken.append === 'before') refuse();
          await append(broken.append === 'half' ? data.subarray(0, data.length / 2) : data);
          if (broken.append !== undefined) refuse();
        },
        close,
      };
    },
  };
  return { disk, broken };
}
