import type { Log, MqttArrival } from '@srup/node';
import {
  resumeDevice,
  stepDevice,
  tokenKey,
  tokenTime,
  type Clock,
  type DeviceEffect,
  type DeviceFacts,
  type DeviceInput,
  type DeviceState,
  type DeviceStep,
  type FaultCode,
  type MessageType,
  type Moment,
  type TokenKey,
} from '@srup/protocol';
import type { Intake } from './intake.ts';
import type { Ledger } from './ledger.ts';
import type { Outbox } from './outbox.ts';
import type { PeerRecord } from './records.ts';
import { tokenPrefix, type Refusals } from './refusals.ts';
import type { Scribe } from './scribe.ts';
import type { Watch } from './watch.ts';

/** What the engine tells those around it; always after the commit. */
export type EngineEvent =
  | { readonly what: 'accepted'; readonly type: MessageType; readonly token: TokenKey }
  | { readonly what: 'refused'; readonly code: FaultCode }
  | { readonly what: 'join'; readonly phase: DeviceState['join']['phase'] }
  /** The identity is to be forgotten (P 10.8); what had to be said was sent, as far as it could be. */
  | { readonly what: 'dropped' };

export interface TurnPorts {
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly scribe: Scribe;
  readonly outbox: Outbox;
  readonly refusals: Refusals;
  readonly watch: Watch;
  readonly clock: Clock;
  readonly log: Log;
  readonly facts: () => DeviceFacts;
  /** Called for each effect but `send`, after the commit. */
  readonly perform: (effect: Exclude<DeviceEffect, { readonly do: 'send' }>) => void;
  readonly onEvent: (event: EngineEvent) => void;
}

/**
 * One input: step, then number, seal and sign what it says, then one commit, then its effects. Never two at a time.
 * Each rejects with `StoreError` when nothing could be committed; then nothing has happened.
 */
export interface Turn {
  take(input: DeviceInput): Promise<void>;
  hear(arrival: MqttArrival): Promise<void>;
  /** Performs what is still owed. `rebooted`: the whole device was off, not just this program. */
  resume(rebooted: boolean): Promise<void>;
}

export function createTurn(ports: TurnPorts): Turn {
  const { ledger, intake, scribe, outbox, refusals, watch, clock, log, facts, perform, onEvent } = ports;

  async function settle(step: DeviceStep, moment: Moment, heard: PeerRecord): Promise<void> {
    const { peer, outgoing } = await scribe.write(step.effects, heard, outbox.nextNumber());
    const unsaid = leaves(step) ? outbox.entries().map(({ n }) => n) : [];
    const { join } = ledger.state;
    await ledger.commit({ step, moment, peer, outgoing, unsaid });
    outbox.drop(new Set(unsaid));
    outbox.add(outgoing);
    for (const { type, token } of outgoing) log.debug({ type, token: tokenPrefix(token) }, 'to be sent');
    const { phase } = step.state.join;
    if (join.phase !== phase) onEvent({ what: 'join', phase });
    for (const effect of step.effects) if (effect.do !== 'send') perform(effect);
  }

  /** P 10.8: a device that leaves says nothing more, beside the answer. */
  function leaves({ state, effects }: DeviceStep): boolean {
    return state.join !== ledger.state.join && effects.some((effect) => effect.do === 'leave');
  }

  function refuse(code: FaultCode, bytes: Uint8Array): void {
    if (code === 'AUTH_OWN') return; // the echo of what this device said (P 5.5)
    refusals.note(code, bytes);
    onEvent({ what: 'refused', code });
  }

  return {
    take: (input) => {
      const moment = watch.moment();
      return settle(stepDevice(ledger.state, ledger.memory, input, moment, facts()), moment, ledger.peer);
    },
    hear: async (arrival) => {
      const judged = intake(arrival);
      if (!judged.ok) {
        refuse(judged.code, arrival.bytes);
        return;
      }
      const { message, window } = judged.value;
      const { type, token } = message;
      const moment = watch.moment();
      const input: DeviceInput = { on: 'message', message: judged.value };
      const step = stepDevice(ledger.state, ledger.memory, input, moment, facts());
      // An answer carries a token of this device: its own clock, which proves nothing to itself.
      if (type !== 'RESPONSE') watch.heard(tokenTime(token));
      await settle(step, moment, { ...ledger.peer, window, heardAt: clock.now() });
      if (step.refused !== undefined) refuse(step.refused, arrival.bytes);
      else onEvent({ what: 'accepted', type, token: tokenKey(token) });
    },
    resume: (rebooted) => {
      const moment = watch.moment();
      return settle(resumeDevice(ledger.state, ledger.memory, moment, rebooted), moment, ledger.peer);
    },
  };
}
