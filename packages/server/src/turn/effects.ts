/** What each effect of a step changes about its device. */
import {
  confirmsCommands,
  runningDigest,
  type ServerEffect,
  type ServerExchange,
  type ServerStep,
} from '@srup/protocol';
import { addDraft, setRow, type Change } from './change.ts';
import type { DeviceRow } from '../store/schema/devices.ts';

type EffectOf<Name extends ServerEffect['do']> = Extract<ServerEffect, { readonly do: Name }>;
type Apply<Name extends ServerEffect['do']> = (
  change: Change,
  effect: EffectOf<Name>,
  exchange: ServerExchange,
) => void;

const EFFECTS: { readonly [Name in ServerEffect['do']]: Apply<Name> } = {
  send: (change, { draft }) => {
    addDraft(change, draft);
  },
  stand: (change, { standing }) => {
    setRow(change, { standing });
  },
  prove: addProven,
  record: (change, { dataId, data }) => {
    change.data.push({ dataId, bytes: data });
  },
  identify: (change, { identification }, { token }) => {
    setRow(change, { identification, confirms: confirmsCommands(identification) ? 1 : 0 });
    // Software that came with the device is known only because the device names it in a signed message.
    const digest = runningDigest(identification);
    if (digest !== undefined) change.software.push({ what: 'named', digest, token });
  },
};

/**
 * Adds the new state of an exchange, and all that its effects change.
 *
 * @example
 * addStep(change, openExchange({ kind: 'identify' }, token, moment, facts));
 */
export function addStep(change: Change, step: ServerStep): void {
  change.exchanges.set(step.state.token, step.state);
  for (const effect of step.effects) {
    (EFFECTS[effect.do] as Apply<typeof effect.do>)(change, effect, step.state);
  }
}

const NOTHING_STAGED = { staged_digest: null, staged_at: null, staged_token: null };

/** Only a RESPONSE of this very device leads here. So the server shows what the device proved, not what it ordered. */
function addProven(change: Change, { what, digest }: EffectOf<'prove'>, exchange: ServerExchange): void {
  const { token } = exchange;
  if (what === 'staged') {
    setRow(change, { staged_digest: digest, staged_at: change.at, staged_token: token });
    return;
  }
  if (change.record.row.staged_digest === digest) setRow(change, NOTHING_STAGED);
  if (what === 'reverted') change.software.push({ what: 'failed', digest, token });
  else addActive(change, digest, exchange);
}

function addActive(change: Change, digest: string, exchange: ServerExchange): void {
  const { token } = exchange;
  const update = exchange.kind === 'update' ? exchange : undefined;
  const orderedAt = update?.activatedAt ?? exchange.openedAt;
  // The device repeats an old receipt from memory, and has activated something else since.
  if (isOutdated(change.record.row, orderedAt)) return;
  setRow(change, {
    running_digest: digest,
    running_at: change.at,
    running_token: token,
    running_ordered_at: orderedAt,
  });
  change.software.push({ what: update?.isRollback === true ? 'restored' : 'active', digest, token });
}

function isOutdated({ running_ordered_at: shown }: DeviceRow, orderedAt: number): boolean {
  return shown !== null && orderedAt < shown;
}
