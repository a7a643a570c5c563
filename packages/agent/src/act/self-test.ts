import { join } from 'node:path';
import { writeFileAtomic } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { RunningSoftware } from '../engine/performers.ts';
import { reasonOf } from '../ground/trouble.ts';

export interface SelfTestPorts {
  readonly folder: string;
  readonly running: () => RunningSoftware;
  readonly clock: Clock;
}

/** Action 05 (P 10.5). Undefined when all is well; otherwise what is wrong, as part of a sentence. */
export async function testSelf({ folder, running, clock }: SelfTestPorts): Promise<string | undefined> {
  try {
    await writeFileAtomic(join(folder, 'self-test'), String(clock.now()));
  } catch (error) {
    return `the folder of the software can't be written (${reasonOf(error)})`;
  }
  if (running().program === 'restarting') return 'the program does not stay alive';
  return clock.isTrusted() ? undefined : 'the clock is not set';
}
