/** What every disk under the vault keeps to: the real one and the one in memory. */
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Disk } from '../../src/vault/disk.ts';
import { test } from '../fixtures.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

export function testDisk(name: string, disk: Disk): void {
  describe(`the contract of a disk: ${name}`, () => {
    const read = async (path: string) => {
      const found = await disk.read(path);
      return found === undefined ? undefined : Buffer.from(found).toString();
    };

    test('a file that is not there is undefined, and not empty', async ({ folder }) => {
      const path = join(folder, 'file');
      expect(await read(path)).toBeUndefined();
      await disk.replace(path, bytes(''));
      expect(await read(path)).toBe('');
    });

    test('replace leaves nothing of the old content', async ({ folder }) => {
      const path = join(folder, 'file');
      await disk.replace(path, bytes('a long old content'));
      await disk.replace(path, bytes('new'));
      expect(await read(path)).toBe('new');
    });

    test('an extension adds at the end, and only to a file that is there', async ({ folder }) => {
      const path = join(folder, 'file');
      await expect(disk.extend(path)).rejects.toThrow('ENOENT');
      await disk.replace(path, bytes('one,'));
      for (const [two, three] of [
        ['two,', 'three'],
        [',four', ''],
      ] as const) {
        const end = await disk.extend(path);
        await end.append(bytes(two));
        await end.append(bytes(three));
        await end.close();
      }
      expect(await read(path)).toBe('one,two,three,four');
    });

    test('files do not touch each other, and the caller can use its buffers again', async ({ folder }) => {
      const [one, two] = [join(folder, 'one'), join(folder, 'two')];
      const buffer = Buffer.from('one');
      await disk.replace(one, buffer);
      await disk.replace(two, buffer);
      const end = await disk.extend(two);
      await end.append(buffer);
      buffer.fill(0);
      await end.close();
      expect(await read(one)).toBe('one');
      expect(await read(two)).toBe('oneone');
    });
  });
}
