import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ground } from './server.ts';

export interface Program {
  readonly path: string;
  readonly digest: string;
  readonly text: string;
}

/** Writes a program for a device: plain JavaScript that runs until SIGTERM unless `body` ends it. */
export async function writeProgram(ground: Ground, name: string, body = ''): Promise<Program> {
  const text = `console.log('version=${name}');\n${body}\nsetInterval(() => {}, 1000);\n`;
  const path = join(ground.folder, `${name}.mjs`);
  await writeFile(path, text);
  return { path, text, digest: createHash('sha256').update(text).digest('hex') };
}

/** The device's configuration that runs such programs. */
export function runsPrograms(factory: Program) {
  return {
    factory: factory.path,
    command: [process.execPath, '{path}'] as [string, ...string[]],
    stopSeconds: 2,
  };
}
