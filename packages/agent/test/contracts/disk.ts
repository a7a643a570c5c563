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

    test('append adds at the end, and makes a file that is missing', async ({ folder }) => {
      const path = join(folder, 'file');
      await disk.append(path, bytes('one,'));
      await disk.append(path, bytes('two'));
      expect(await read(path)).toBe('one,two');
      await disk.replace(path, bytes('three'));
      await disk.append(path, bytes(',four'));
      expect(await read(path)).toBe('three,four');
    });

    test('files do not touch each other, and the caller can use its buffers again', async ({ folder }) => {
      const [one, two] = [join(folder, 'one'), join(folder, 'two')];
      const buffer = Buffer.from('one');
      await disk.replace(one, buffer);
      await disk.append(two, buffer);
      buffer.fill(0);
      expect(await read(one)).toBe('one');
      expect(await read(two)).toBe('one');
    });
  });
}
