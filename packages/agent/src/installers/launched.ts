import type { Log } from '@srup/node';
import { reasonOf } from '../ground/trouble.ts';
import type { Installer } from '../software/installer.ts';

type Launched = Pick<Installer, 'prepare' | 'awaitsRestart' | 'confirm' | 'restore' | 'runs'>;

/** What all installers share whose software runs because the agent launches it. */
export function launchedByAgent(launch: Installer['launch'], log: Log): Launched {
  const never = new AbortController().signal;
  return {
    prepare: () => Promise.resolve(),
    awaitsRestart: () => Promise.resolve(false),
    confirm: () => Promise.resolve(),
    runs: (recorded) => recorded,
    async restore(candidates, open) {
      for (const digest of candidates) {
        try {
          await launch(await open(digest), never);
          return digest;
        } catch (error) {
          log.error({ digest, reason: reasonOf(error) }, 'good software can not be started');
        }
      }
      return undefined;
    },
  };
}
