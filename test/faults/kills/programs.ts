/** What the devices of a campaign run. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ground } from '../../support/server.ts';

export interface Version {
  readonly kind: 'good' | 'bad';
  readonly path: string;
  readonly digest: string;
}

/** Lives until it is told to end. */
const GOOD = `trap 'kill "$child"; exit 0' TERM
sleep 1000000 & child=$!
wait
exit
`;
/** Has to be killed. */
const STUBBORN = `trap '' TERM
while :; do sleep 1; done
`;
const BAD = 'exit 3\n';
/** Comes in more than one piece. */
const LARGE_CHARACTERS = 400_000;

export async function writeVersions(ground: Ground): Promise<readonly [Version, ...Version[]]> {
  const write = async (name: string, kind: Version['kind'], body: string): Promise<Version> => {
    const path = join(ground.folder, `version-${name}`);
    const text = `#!/bin/sh\n# version ${name}\n${body}`;
    await writeFile(path, text, { mode: 0o700 });
    return { kind, path, digest: createHash('sha256').update(text).digest('hex') };
  };
  return [
    await write('factory', 'good', GOOD),
    await write('1', 'good', GOOD),
    await write('2', 'good', GOOD),
    await write('3', 'good', GOOD),
    await write('large', 'good', `${GOOD}# ${'0123456789abcdef'.repeat(LARGE_CHARACTERS / 16)}\n`),
    await write('stubborn', 'good', STUBBORN),
    await write('bad', 'bad', BAD),
    await write('bad-too', 'bad', `sleep 0.05\n${BAD}`),
  ];
}
