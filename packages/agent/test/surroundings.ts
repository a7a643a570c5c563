/** What performers stand on in tests: a folder of their own, a log that can be read. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@srup/node';
import { type AgentConfigInput, parseConfig } from '../src/config/config.ts';
import type { Surroundings } from '../src/performers/surroundings.ts';
import { homeAt } from '../src/ground/home.ts';
import type { Log } from '@srup/node';
import { makeLog } from './log.ts';

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function recordingLog(): { log: Log; lines: readonly LogLine[] } {
  const log = makeLog();
  return { log, lines: log.lines as readonly object[] as readonly LogLine[] };
}

const folders: string[] = [];

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-agent-'));
  folders.push(folder);
  return folder;
}

/** For `afterEach`. */
export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

export interface TestSurroundings extends Surroundings {
  readonly lines: readonly LogLine[];
  readonly reports: { dataId: string; data: Uint8Array }[];
}

export function surroundingsAt(
  folder: string,
  config: Partial<AgentConfigInput> = {},
  changes: Partial<Surroundings> = {},
): TestSurroundings {
  const { log, lines } = recordingLog();
  const reports: TestSurroundings['reports'] = [];
  return {
    config: parseConfig({ url: 'https://localhost', type: 'test', ...config }, 'test'),
    home: homeAt(folder),
    log,
    lines,
    clock: systemClock,
    random: systemRandom,
    reports,
    report: (dataId, data) => {
      reports.push({ dataId, data });
      return Promise.resolve('kept');
    },
    ca: () => '',
    oweErasure: () => Promise.resolve(),
    beginErasure: () => undefined,
    ...changes,
  };
}
