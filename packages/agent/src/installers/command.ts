import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic, type Log } from '@srup/node';
import { isDigest, type Clock } from '@srup/protocol';
import * as v from 'valibot';
import { type Software, SoftwareFault } from '../software/prepare.ts';
import type { CommandAnswer } from '../program/command.ts';
import type { Installer } from '../software/installer.ts';
import { oneLine, Deferred, readDeferral } from '../deferral/deferral.ts';

/** The steps for which the command is called; docs/installers.md has the contract. */
export type Step = 'running' | 'install' | 'activate' | 'restart' | 'confirm' | 'revert';

export interface CommandInstallerOptions {
  /** Runs the command. Its last arguments are a step and, for some steps, a digest and the path of the artifact. */
  readonly ask: (words: readonly string[], timeoutMs: number, signal: AbortSignal) => Promise<CommandAnswer>;
  /** Timeout of each step but `running`, in milliseconds. */
  readonly stepMs: number;
  /** File that says what the device was restarted for. */
  readonly note: string;
  /** Names this start of the device. */
  readonly boot: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Exit codes beside 0. */
const DEFERRED = 75;
const AFTER_RESTART = 76;
const RUNNING_MS = 30_000;
/** A device that was told to restart is off by then, in milliseconds. */
const RESTART_MS = 600_000;
/** When the server can ask again about what does not pass by itself, in milliseconds. */
const AGAIN_MS = 3_600_000;

const noteSchema = v.object({
  what: v.picklist(['activate', 'revert']),
  digest: v.string(),
  boot: v.string(),
});
type Note = v.InferOutput<typeof noteSchema>;

/** The software that runs, as the command says. Without a digest it is not an artifact of ours. */
interface Running {
  readonly digest?: string;
}

/** Another program installs: an A/B updater, a bootloader's tools, a script. The agent asks it what really runs. */
export function createCommandInstaller(options: CommandInstallerOptions): Installer {
  const { stepMs, clock, log } = options;
  let observed: string | undefined;
  const never = new AbortController().signal;

  /** Undefined when the command can't tell. */
  async function running(signal: AbortSignal = never): Promise<Running | undefined> {
    const { failure, output, complaint } = await options.ask(['running'], RUNNING_MS, signal);
    const name = oneLine(output.split('\n')[0] ?? '');
    if (failure !== undefined || name === '') {
      log.warn({ failure, complaint: oneLine(complaint) }, 'the installer can not tell what runs');
      observed = undefined;
      return undefined;
    }
    observed = isDigest(name) ? name : undefined;
    return observed === undefined ? {} : { digest: observed };
  }

  /** The exit code, if it is 0 or `also`. Throws Deferred or SoftwareFault for the others. */
  async function ask(
    step: Step,
    words: readonly string[],
    signal: AbortSignal,
    also?: number,
  ): Promise<number> {
    const answer = await options.ask([step, ...words], stepMs, signal);
    const { code, failure = '', complaint, output } = answer;
    log.info({ step, code, said: oneLine(complaint === '' ? output : complaint) }, 'installer');
    if (code === 0 || (code !== undefined && code === also)) return code;
    if (code === DEFERRED)
      throw new Deferred(readDeferral(answer, `the installer defers (${step})`, clock.now()));
    const { reason } = readDeferral({ output: '', complaint }, failure, clock.now());
    throw new SoftwareFault(`the installer's step ${step} failed: ${reason}`, false);
  }

  const isAwaited = async (what: Note['what'], digest: string): Promise<Note | undefined> => {
    const note = await readNote(options.note);
    return note?.what === what && note.digest === digest ? note : undefined;
  };
  const forget = () => rm(options.note, { force: true });

  /** Restarts the device. Rejects when the agent ends, which a restart brings about, or with Deferred when it does not. */
  async function restart(what: Note['what'], digest: string, signal: AbortSignal): Promise<never> {
    await writeFileAtomic(options.note, JSON.stringify({ what, digest, boot: await options.boot() }));
    await ask('restart', [digest], signal);
    log.info({ digest }, 'waiting for the restart of the device');
    await sleep(RESTART_MS, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    throw new Deferred({
      reason: 'the device was told to restart, and did not',
      until: clock.now() + AGAIN_MS,
    });
  }

  async function launch({ slot }: Software, signal: AbortSignal): Promise<void> {
    const { digest, artifact } = slot;
    const note = await isAwaited('activate', digest);
    if ((await running(signal))?.digest === digest) return forget();
    if (note !== undefined) {
      if (note.boot === (await options.boot())) return restart('activate', digest, signal);
      await forget();
      throw new SoftwareFault(`after its restart the device runs ${observed ?? 'something else'}`, false);
    }
    const code = await ask('activate', [digest, artifact], signal, AFTER_RESTART);
    if (code === AFTER_RESTART) return restart('activate', digest, signal);
    if ((await running(signal))?.digest === digest) return;
    throw new SoftwareFault('the installer activated it, and yet it is not what runs', false);
  }

  async function withdraw(digest: string, signal: AbortSignal): Promise<void> {
    const again = (reason: string) => new Deferred({ reason, until: clock.now() + AGAIN_MS });
    const note = await isAwaited('revert', digest);
    const wasRestarted = note !== undefined && note.boot !== (await options.boot());
    if (!wasRestarted) {
      try {
        const code = await ask('revert', [digest], signal, AFTER_RESTART);
        if (code === AFTER_RESTART) await restart('revert', digest, signal);
      } catch (error) {
        throw error instanceof SoftwareFault ? again(`the way back failed: ${error.message}`) : error;
      }
    }
    await forget();
    const now = await running(signal);
    // The answer "reverted" would be false, or could be.
    if (now === undefined) throw again('the way back was taken, but what runs now is not known');
    if (now.digest === digest) throw again('the way back was taken, and yet the failed software runs');
  }

  return {
    runsArtifact: false,
    async prepare({ slot: { digest, artifact } }, signal) {
      if ((await isAwaited('activate', digest)) !== undefined) return;
      if ((await running(signal))?.digest === digest) return;
      await ask('install', [digest, artifact], signal);
    },
    launch,
    withdraw,
    async awaitsRestart(digest) {
      const note = await isAwaited('activate', digest);
      return note?.boot === (await options.boot());
    },
    async confirm({ slot }, signal) {
      await ask('confirm', [slot.digest], signal);
    },
    async restore() {
      return (await running())?.digest;
    },
    // The system goes on without the agent.
    halt: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    clear: forget,
    programEnd: () => undefined,
    state: () => ({ program: 'none', restarts: 0 }),
    runs: () => observed,
  };
}

async function readNote(path: string): Promise<Note | undefined> {
  try {
    return v.parse(noteSchema, JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined; // none, or an unreadable one: every step can be repeated
  }
}
