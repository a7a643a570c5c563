import { createQueue } from '@srup/node';
import { Deferred } from '../deferral/deferral.ts';
import { reasonOf } from '../ground/trouble.ts';
import { findPrepared, prepareSoftware, type PrepareRules, type Software, SoftwareFault } from './prepare.ts';
import { KeptRecord } from './kept-record.ts';
import { chosen, commit, remember, revert, type SoftwareRecord, type SwitchResult } from './record.ts';
import type { Switched, SwitchOrder, SwitchPorts } from './switch-ports.ts';

/** How often a trial can begin anew after the agent was ended in the middle: the software may be what ends it. */
const MAX_STARTS = 3;

type Trial = NonNullable<SoftwareRecord['trial']>;

/** Decides which software runs, and never leaves the device without what ran before (P 10.1, 10.3, 10.4). */
export class SoftwareSwitch {
  readonly #ports: SwitchPorts;
  readonly #prepareRules: PrepareRules;
  readonly #record: KeptRecord;
  readonly #queue = createQueue();
  /** False when nothing that the record calls good could be started. */
  #isRestored = true;

  constructor(ports: SwitchPorts) {
    this.#ports = ports;
    this.#record = new KeptRecord(ports.record, ports.log);
    this.#prepareRules = { ...ports.rules, executable: ports.installer.runsArtifact };
  }

  /** The digest that runs, as far as it is known. */
  get current(): string | undefined {
    const recorded = chosen(this.#record.value);
    return this.#ports.installer.runs(this.#isRestored ? recorded : undefined);
  }

  /**
   * Starts the current software. An interrupted switch is finished meanwhile; `install` with its token says how it ended.
   * If the signal aborts, the next start finishes it.
   */
  async start(signal: AbortSignal): Promise<void> {
    await this.#record.load();
    const { trial } = this.#record.value;
    if (trial === undefined) {
      await this.#runGood();
      return;
    }
    void this.#queue
      .run(() => this.#deferrable(() => this.#goOn(trial, signal)))
      .catch((error: unknown) => {
        if (!signal.aborted) this.#ports.log.error({ reason: reasonOf(error) }, 'unfinished switch');
      });
  }

  /** Switches at most once for each token, whatever happens in between. Rejects with the signal's reason only. */
  install(order: SwitchOrder, signal: AbortSignal): Promise<Switched> {
    const inOrder = async () => {
      signal.throwIfAborted();
      const { trial, results } = this.#record.value;
      const known = results.find(({ token }) => token === order.token);
      if (known !== undefined) return answerOf(known);
      if (trial === undefined) return this.#begin(order, signal);
      const finished = await this.#goOn(trial, signal);
      return trial.token === order.token ? finished : this.#begin(order, signal);
    };
    return this.#queue.run(() => this.#deferrable(inOrder));
  }

  /** The installer can defer every step; a trial that is under way then waits where it is. */
  async #deferrable(work: () => Promise<Switched>): Promise<Switched> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Deferred)) throw error;
      const { deferral } = error;
      const { trial } = this.#record.value;
      this.#ports.log.info({ digest: trial?.digest, ...deferral }, 'switch deferred');
      // An installer that says so has survived the trial so far: the trial was not what ended the agent.
      if (trial !== undefined)
        await this.#record.save({ ...this.#record.value, trial: { ...trial, starts: 0 } });
      return { outcome: 'deferred', ...deferral };
    }
  }

  /** Resolves when no switch is under way. */
  async idle(): Promise<void> {
    await this.#queue.settle();
  }

  /** Removes software that nothing refers to, and staged versions beyond those that are kept. `staged` stays. */
  async collect(staged?: string): Promise<void> {
    const { slots, keep, log } = this.#ports;
    const { good, former, trial } = this.#record.value;
    const needed = [staged, good, trial?.digest, ...former].filter((digest) => digest !== undefined);
    try {
      await slots.collect(new Set(needed), keep);
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'old software can not be removed');
    }
  }

  async #begin(order: SwitchOrder, signal: AbortSignal): Promise<Switched> {
    const { installer, onStep, findDeferral } = this.#ports;
    const { token, digest } = order;
    if (digest === this.#record.value.good && installer.state().program === 'running') {
      await this.#record.save({
        ...this.#record.value,
        results: remember(this.#record.value, { token, outcome: 'active' }),
      });
      return { outcome: 'active' };
    }
    const deferral = await findDeferral(digest, signal);
    if (deferral !== undefined) throw new Deferred(deferral);
    let software: Software;
    try {
      software = await this.#prepare(digest, signal);
    } catch (error) {
      if (error instanceof Deferred) throw error;
      return this.#refuse(order, error, signal);
    }
    await onStep('prepared', digest);
    await installer.halt();
    await onStep('halted', digest);
    const unwritten = await this.#record.save({ ...this.#record.value, trial: { token, digest, starts: 1 } });
    // Without a record, a power cut now would lose sight of what was good.
    if (unwritten !== undefined) return this.#finish(unwritten, signal);
    await onStep('switched', digest);
    return this.#finish(await this.#tryOut(software, signal), signal);
  }

  async #prepare(digest: string, signal: AbortSignal): Promise<Software> {
    const { slots, installer } = this.#ports;
    const software = await prepareSoftware(slots.of(digest), this.#prepareRules, signal);
    await installer.prepare(software, signal);
    return software;
  }

  /** Nothing was touched yet: the old software goes on running. */
  async #refuse({ token, digest }: SwitchOrder, error: unknown, signal: AbortSignal): Promise<Switched> {
    signal.throwIfAborted();
    const reason = reasonOf(error);
    this.#ports.log.warn({ digest, reason }, 'software refused');
    const isLost = error instanceof SoftwareFault && error.isLost;
    if (isLost && digest !== this.#record.value.good) await this.#ports.slots.remove(digest);
    await this.#record.save(revert(this.#record.value, token, reason));
    return { outcome: 'reverted', reason };
  }

  /** Continues a switch from where the record says: the agent was ended in the middle. */
  async #goOn(trial: Trial, signal: AbortSignal): Promise<Switched> {
    const { digest, starts, failure } = trial;
    this.#ports.log.info({ digest, starts, failure }, 'finishing an interrupted switch');
    if (failure !== undefined) return this.#finish(failure, signal);
    const added = (await this.#ports.installer.awaitsRestart(digest)) ? 0 : 1;
    if (starts + added > MAX_STARTS) return this.#finish('the agent was ended during every trial', signal);
    const unwritten = await this.#record.save({
      ...this.#record.value,
      trial: { ...trial, starts: starts + added },
    });
    if (unwritten !== undefined) return this.#finish(unwritten, signal);
    let software: Software;
    try {
      software = await this.#prepare(digest, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Deferred) throw error;
      return this.#finish(reasonOf(error), signal);
    }
    return this.#finish(await this.#tryOut(software, signal), signal);
  }

  /** Undefined when the software has proven itself; otherwise why not. */
  async #tryOut(software: Software, signal: AbortSignal): Promise<string | undefined> {
    const { installer, onStep, judge } = this.#ports;
    const { digest } = software.slot;
    const programEnd = installer.programEnd();
    try {
      await installer.launch(software, signal);
      await onStep('launched', digest);
      const failure = await judge(programEnd, signal);
      await onStep('judged', digest);
      if (failure === undefined) await installer.confirm(software, signal);
      return failure;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Deferred) throw error;
      return reasonOf(error);
    }
  }

  async #finish(failure: string | undefined, signal: AbortSignal): Promise<Switched> {
    if (failure !== undefined) return this.#goBack(failure, signal);
    const { log, onStep, keep } = this.#ports;
    const { digest } = this.#trial();
    const onTrial = this.#record.value;
    const unwritten = await this.#record.save(commit(onTrial, keep));
    if (unwritten !== undefined) {
      this.#record.takeBack(onTrial);
      return this.#goBack(unwritten, signal);
    }
    this.#isRestored = true;
    await onStep('committed', digest);
    log.info({ digest }, 'software is active');
    await this.collect();
    await onStep('collected', digest);
    return { outcome: 'active' };
  }

  async #goBack(failure: string, signal: AbortSignal): Promise<Switched> {
    const { installer, log, onStep } = this.#ports;
    const trial = this.#trial();
    const { digest, token } = trial;
    log.warn({ digest, reason: failure }, 'software failed: going back');
    await this.#record.save({ ...this.#record.value, trial: { ...trial, failure } });
    await onStep('condemned', digest);
    await installer.withdraw(digest, signal);
    await onStep('withdrawn', digest);
    if (!(await this.#runGood())) await installer.clear();
    await onStep('restored', digest);
    await this.#record.saveSurely(revert(this.#record.value, token, failure), signal);
    await onStep('reverted', digest);
    await this.collect();
    await onStep('collected', digest);
    return { outcome: 'reverted', reason: failure };
  }

  /** Starts the good software, or the newest former one that still starts; false when none does. No network (P 10.4). */
  async #runGood(): Promise<boolean> {
    const { slots, installer } = this.#ports;
    const { good, former } = this.#record.value;
    const candidates = good === undefined ? former : [good, ...former];
    const never = new AbortController().signal;
    const runs = await installer.restore(candidates, (digest) =>
      findPrepared(slots.of(digest), this.#prepareRules, never),
    );
    this.#isRestored = runs !== undefined;
    if (runs === undefined) return false;
    const others = candidates.slice(candidates.indexOf(runs) + 1);
    if (runs !== good) await this.#record.save({ ...this.#record.value, good: runs, former: others });
    return true;
  }

  #trial(): Trial {
    const { trial } = this.#record.value;
    if (trial === undefined) throw new Error('no switch is under way');
    return trial;
  }
}

function answerOf({ outcome, reason }: SwitchResult): Switched {
  return { outcome, ...(reason === undefined ? {} : { reason }) };
}
