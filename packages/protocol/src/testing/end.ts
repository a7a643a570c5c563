/**
 * One end of a simulated conversation: the whole path of a message, from bytes to a committed state and back, with
 * crashes at every point where one could hurt. Only what was committed survives them, as JSON.
 */
import { type AuthCode, type FaultCode, type Rejected } from '../faults.ts';
import type { Identity } from '../identity.ts';
import { receive, screen, type Arrival } from '../inbound.ts';
import type { MessageType, Role } from '../message/layouts.ts';
import { compose, nextSequence, type Signed } from '../outbound.ts';
import type { Moment, SendEffect, Step } from '../exchange/step.ts';
import { EMPTY_WINDOW, type Peer, type ReplayWindow } from '../trust/peer.ts';
import type { Fresh } from '../trust/replay.ts';
import type { SignKey, VerifyKey } from '../trust/suite.ts';
import type { TokenKey } from '../token.ts';
import { checkPlain } from './plain.ts';
import type { SeededRandom } from './random.ts';
import type { Timeline } from './timeline.ts';

/** What differs between a device and a server. */
export interface Mind<State, Effect> {
  readonly role: Role;
  readonly initial: State;
  forbids(state: State, type: MessageType): AuthCode | undefined;
  /** Token of the join request that has no answer yet. */
  joinToken(state: State): TokenKey | undefined;
  hear(state: State, message: Fresh, moment: Moment): Step<State, Effect | SendEffect> | Rejected;
  wakeAt(state: State): number | undefined;
  wake(state: State, moment: Moment): Step<State, Effect | SendEffect>;
  resume(state: State, moment: Moment, rebooted: boolean): Step<State, Effect | SendEffect>;
  /** The name of the topic that a message of this type goes to. */
  topicOf(type: MessageType): string;
  perform(effect: Effect): void;
}

export interface Circumstances {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly self: Identity;
  readonly key: SignKey;
  readonly peer: Identity;
  /** Every key that this end knows. */
  readonly keys: ReadonlyMap<Identity, VerifyKey>;
  /** Milliseconds by which this end's clock differs from the timeline's. */
  readonly clockOffset: number;
  readonly clockTrusted: boolean;
  /** Probability of a crash at each point, at this moment. */
  crash(): number;
  post(signed: Signed, topic: string): void;
}

interface Memory<State> {
  readonly state: State;
  readonly window: ReplayWindow;
  /** Last number sent to the peer. */
  readonly sent: bigint;
}

const LONGEST_OUTAGE_MS = 4_000;

export class End<State, Effect extends { readonly do: string }> {
  readonly refusals = new Map<FaultCode, number>();
  restarts = 0;
  readonly #mind: Mind<State, Effect>;
  readonly #around: Circumstances;
  #disk: string;
  #memory: Memory<State>;
  /** It changes with every restart. What an earlier life had begun is lost. */
  #life = 0;
  #isDown = false;
  #alarm = 0;

  constructor(mind: Mind<State, Effect>, around: Circumstances) {
    this.#mind = mind;
    this.#around = around;
    this.#disk = write({ state: mind.initial, window: EMPTY_WINDOW, sent: 0n });
    this.#memory = read(this.#disk);
  }

  /** The last committed state. */
  get state(): State {
    return read<State>(this.#disk).state;
  }

  now(): number {
    return this.#around.timeline.clock.now() + this.#around.clockOffset;
  }

  /** Takes an input from the world. It is lost if this end crashes before the commit. */
  async input(step: (state: State, moment: Moment) => Step<State, Effect | SendEffect>): Promise<void> {
    if (this.#isDown) return;
    await this.#commit(step(this.#memory.state, this.#moment()), this.#memory.window);
  }

  /** Runs later, unless this end restarts before that. */
  later(ms: number, run: () => Promise<void>): void {
    const life = this.#life;
    this.#around.timeline.after(ms, async () => {
      if (life === this.#life) await run();
    });
  }

  /** False if the message was not taken over: this end is down, or crashed before its commit (P 5.3). */
  async arrive(arrival: Arrival): Promise<boolean> {
    return (await this.judge(arrival)) !== 'lost';
  }

  /** The same, and tells what became of the message. */
  async judge(arrival: Arrival): Promise<'accepted' | 'refused' | 'lost'> {
    if (this.#isDown) return 'lost';
    const screened = screen(arrival, { role: this.#mind.role, self: this.#around.self });
    if (!screened.ok) return this.#refuse(screened.code);
    const received = receive(screened.value, this.#peer(screened.value.message.sender));
    if (!received.ok) return this.#refuse(received.code);
    const fresh = received.value;
    const { state } = this.#memory;
    const step = this.#mind.hear(state, fresh, this.#moment());
    if ('code' in step) {
      // The number is used up all the same.
      const committed = await this.#commit({ state, effects: [] }, fresh.window);
      return committed ? this.#refuse(step.code) : 'lost';
    }
    if (step.refused !== undefined) this.#refuse(step.refused);
    return (await this.#commit(step, fresh.window)) ? 'accepted' : 'lost';
  }

  #peer(sender: Identity): Peer | undefined {
    const { keys, peer } = this.#around;
    const { state, window, sent } = this.#memory;
    const key = keys.get(sender);
    if (key === undefined) return undefined;
    const forbids = (type: MessageType) => (sender === peer ? this.#mind.forbids(state, type) : 'AUTH_STATE');
    return { id: sender, key, window, sent, joinToken: this.#mind.joinToken(state), forbids };
  }

  #refuse(code: FaultCode): 'refused' {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    return 'refused';
  }

  #moment(): Moment {
    const { random, clockTrusted } = this.#around;
    return { now: this.now(), trusted: clockTrusted, random: random.unit() };
  }

  /**
   * Commits window, numbers and state at once, then performs the effects in their order. False if it crashed before
   * the commit.
   */
  async #commit(
    { state, effects }: Step<State, Effect | SendEffect>,
    window: ReplayWindow,
  ): Promise<boolean> {
    const { self, peer, key } = this.#around;
    const signed = new Map<Effect | SendEffect, Signed>();
    let sent = this.#memory.sent;
    for (const effect of effects) {
      if (!isSend(effect)) continue;
      sent = nextSequence({ sent, highest: window.highest });
      signed.set(effect, await compose(effect.draft, sent, self, { id: peer }, key));
    }
    if (this.#crashes()) return false;
    this.#disk = write({ state, window, sent });
    this.#memory = read(this.#disk);
    this.#setAlarm();
    for (const effect of effects) {
      if (this.#crashes()) return true;
      this.#perform(effect, signed.get(effect));
    }
    this.#crashes();
    return true;
  }

  #perform(effect: Effect | SendEffect, signed: Signed | undefined): void {
    if (signed === undefined) this.#mind.perform(effect as Effect);
    else this.#around.post(signed, this.#mind.topicOf(signed.message.type));
  }

  #setAlarm(): void {
    const alarm = ++this.#alarm;
    const wakeAt = this.#mind.wakeAt(this.#memory.state);
    if (wakeAt === undefined) return;
    this.later(wakeAt - this.now(), async () => {
      if (alarm !== this.#alarm) return;
      const before = this.#disk;
      await this.input((state, moment) => this.#mind.wake(state, moment));
      // It would be woken again at once, without an end.
      if (!this.#isDown && this.#disk === before)
        throw new Error(`the ${this.#mind.role} was woken for nothing`);
    });
  }

  #crashes(): boolean {
    if (this.#isDown) return true;
    if (!this.#around.random.chance(this.#around.crash())) return false;
    this.restart();
    return true;
  }

  /** Loses everything but the last commit. `rebooted`: see `resumeDevice`. */
  restart(rebooted = false): void {
    const { timeline, random } = this.#around;
    this.restarts++;
    this.#life++;
    this.#isDown = true;
    timeline.after(random.unit() * LONGEST_OUTAGE_MS, async () => {
      this.#isDown = false;
      this.#memory = read(this.#disk);
      await this.input((state, moment) => this.#mind.resume(state, moment, rebooted));
    });
  }
}

function isSend(effect: { readonly do: string }): effect is SendEffect {
  return effect.do === 'send';
}

function write<State>({ state, window, sent }: Memory<State>): string {
  checkPlain(state);
  const { highest, seen } = window;
  return JSON.stringify({ state, highest: String(highest), seen: String(seen), sent: String(sent) });
}

function read<State>(disk: string): Memory<State> {
  const { state, highest, seen, sent } = JSON.parse(disk) as Record<'highest' | 'seen' | 'sent', string> & {
    state: State;
  };
  return { state, window: { highest: BigInt(highest), seen: BigInt(seen) }, sent: BigInt(sent) };
}
