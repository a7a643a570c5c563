/** A broker that is not ours: who was revoked must be refused there too, and that is tried out, not believed (P 8.3, 10.8). */
import { backoffMs, type Secret } from '@srup/node';
import { identityText, mqttClientId, type Clock, type Identity, type Random } from '@srup/protocol';
import type { Credential } from '../../authority/authority.ts';
import type { RevocationView } from '../../api/forms/broker.ts';
import type { Delay, Log } from '@srup/node';
import { SESSIONS_USER } from '../../vault/broker-access.ts';
import { connectOnce } from './connect.ts';
import { runReload } from './reload.ts';

/** Between looks at a broker that was told to read its list, in milliseconds; it takes a moment. */
const LOOKS_MS = [50, 200, 500, 1_000, 2_000] as const;
/** After which it is told again: doubled each time. */
const AGAIN = { leastMs: 5_000, mostMs: 300_000 } as const;
/** Before a broker that was right is looked at again: it may have been set up anew. Milliseconds. */
const STEADY_MS = 3_600_000;
/** For the list to be read, before a session is ended all the same, in milliseconds. */
const PATIENCE_MS = 5_000;

export interface ExternalOptions {
  readonly url: string;
  /** PEM of the CA of the broker's certificate. */
  readonly ca: string;
  /** Program and arguments that make the broker read its files again. */
  readonly reload?: readonly string[];
  /** Where `SESSIONS_USER` may connect under any client id. */
  readonly sessions?: { readonly url: string; readonly password: Secret };
  /** The server's own, read at each connection. */
  readonly credential: () => Credential;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly delay: Delay;
  readonly log: Log;
}

export interface ExternalBroker {
  /** There is a new revocation list. `canary`: a certificate that only this list has; a broker that takes it is behind. */
  follow(canary: Credential): void;
  /** Files that the broker reads have changed. */
  reload(): Promise<void>;
  /** Rejects while the broker still lets the identity in, or could not be told: call it again. */
  end(id: Identity): Promise<void>;
  revocation(): RevocationView;
  readonly endsSessions: boolean;
  stop(): void;
}

export function watchExternal(options: ExternalOptions): ExternalBroker {
  const { url, ca, credential, clock, random, delay, log, sessions } = options;
  let state: RevocationView = { state: 'unproven', since: clock.now() };
  let canary: Credential | undefined;
  let failures = 0;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let callOff: () => void = () => undefined;

  async function reload(): Promise<void> {
    if (options.reload !== undefined) await runReload(options.reload);
  }

  /** A list that replaces another while the broker is looked at is looked at next. */
  async function catchUp(): Promise<void> {
    callOff();
    for (let seen: Credential | undefined; seen !== canary && !isStopped;) {
      seen = canary;
      await tell(seen as Credential);
    }
    if (isStopped) return;
    failures = state.state === 'current' ? 0 : failures + 1;
    const wait = failures === 0 ? STEADY_MS : backoffMs(failures, AGAIN, random.unit());
    callOff = delay(wait, () => void run());
  }

  function run(): Promise<void> {
    running ??= catchUp().finally(() => (running = undefined));
    return running;
  }

  async function tell(mine: Credential): Promise<void> {
    let trouble: string | undefined;
    await reload().catch((error: unknown) => (trouble = (error as Error).message));
    for (const wait of LOOKS_MS) {
      await new Promise<void>((resolve) => delay(wait, resolve));
      const outcome = await look(mine);
      if (isStopped) return;
      if (outcome.state === 'current') {
        settle(outcome);
        return;
      }
      if (outcome.state === 'unproven' || trouble !== undefined || options.reload === undefined) {
        settle({ ...outcome, ...(trouble !== undefined && { problem: trouble }) });
        return;
      }
      if (wait === LOOKS_MS.at(-1)) settle(outcome);
    }
  }

  /** A certificate that only the newest list has is turned away by a broker that has read it, and by no other. */
  async function look({ key, chain }: Credential): Promise<Omit<RevocationView, 'since'>> {
    const { refused } = await connectOnce({ url, ca, cert: chain, key, clientId: 'SRUP canary' });
    if (refused === undefined) return { state: 'behind', problem: BEHIND };
    if (/revoked/i.test(refused)) return { state: 'current' };
    return { state: 'unproven', problem: `it can't be asked: ${refused}` };
  }

  function settle(next: Omit<RevocationView, 'since'>): void {
    const isNews = next.state !== state.state || next.problem !== state.problem;
    if (!isNews) return;
    state = { ...next, since: clock.now() };
    const { problem } = next;
    if (next.state === 'current') log.info({}, 'the broker refuses everybody who was revoked');
    else if (next.state === 'behind') log.error({ problem }, 'THE BROKER LETS IN DEVICES THAT WERE REVOKED');
    else log.warn({ problem }, 'it is not known whether the broker refuses who was revoked');
  }

  /** Under the client id of the device and with a clean session: its own is over then, and with it what waited. */
  async function endSession(id: Identity): Promise<void> {
    if (sessions === undefined) {
      log.warn(
        { device: identityText(id) },
        'an open connection of it can not be ended here (--broker-sessions)',
      );
      return;
    }
    const { key, chain } = credential();
    const login = { username: SESSIONS_USER, password: sessions.password };
    // What it is called with use_username_as_clientid, and what it calls itself.
    for (const clientId of [identityText(id), mqttClientId(id)]) {
      const { refused } = await connectOnce({ ...login, url: sessions.url, ca, cert: chain, key, clientId });
      if (refused !== undefined) throw new Error(`its session at the broker could not be ended: ${refused}`);
    }
  }

  async function end(id: Identity): Promise<void> {
    if (state.state !== 'current' || running !== undefined) {
      await Promise.race([run(), new Promise<void>((resolve) => delay(PATIENCE_MS, resolve))]);
    }
    await endSession(id);
    const { state: now, problem } = state;
    if (now !== 'current') throw new Error(`the broker may let it in again: ${problem ?? 'not proven yet'}`);
  }

  return {
    follow: (next) => {
      canary = next;
      state = { state: 'unproven', since: clock.now() };
      if (!isStopped) void run();
    },
    reload,
    end,
    revocation: () => state,
    endsSessions: sessions !== undefined,
    stop: () => {
      isStopped = true;
      callOff();
    },
  };
}

const BEHIND =
  'it has not read the newest revocation list: make it read its files again (SIGHUP), by --broker-reload for the next time';
