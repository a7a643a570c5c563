import {
  stepServer,
  type Caller,
  type ServerExchange,
  type ServerInput,
  type TokenKey,
} from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import { explainRefusal } from '../news/explain.ts';
import { findExchangeView } from '../news/queries.ts';
import { findExchange } from '../peers/exchanges.ts';
import { beginChange } from '../turn/change.ts';
import { factsOf, momentOf } from '../turn/facts.ts';
import { addOutcome } from '../turn/outcome.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';

/** What a caller says to an exchange that exists: activate, cancel, or decide a join. */
export type Word = Extract<ServerInput, { readonly on: 'activate' | 'cancel' | 'decide' }>;

/**
 * Says a word to an exchange. Rejects with FleetError when there is no such exchange, or it does not take the word.
 *
 * @example
 * await say('27ab54d670b64be2', token, { on: 'decide', verdict: 'accept' }, by);
 */
export type SayWord = (device: string, token: TokenKey, word: Word, by: Caller) => Promise<ExchangeView>;

/**
 * Makes what says words to exchanges.
 *
 * @example
 * await createSayWord(turn)(device, token, { on: 'activate' }, by);
 */
export function createSayWord(ports: TurnPorts): SayWord {
  const { store, records, lanes, save } = ports;

  async function say(device: string, token: TokenKey, word: Word, by: Caller): Promise<ExchangeView> {
    const record = await records.find(device);
    const exchange = record && (await findExchange(store.read, device, token));
    if (record === undefined || exchange === undefined)
      throw new FleetError('not-found', `device ${device} has no exchange ${token}`);
    checkKind(exchange, word);
    const moment = momentOf(ports);
    const step = stepServer(exchange, word, moment, factsOf(ports, record));
    if (step.refused !== undefined) throw new FleetError('conflict', explainRefusal(step.refused, exchange));
    const change = beginChange(record, moment.now);
    await addOutcome(ports, change, step, moment, { known: exchange, by });
    const verdict = word.on === 'decide' ? { verdict: word.verdict } : {};
    change.entries.push({
      kind: 'order',
      at: change.at,
      device,
      body: { order: word.on, token, by, ...verdict },
    });
    await save(change);
    return (await findExchangeView(store.read, device, token)) as ExchangeView;
  }

  return (device, token, word, by) => lanes.run(deviceOwner(device), () => say(device, token, word, by));
}

function checkKind(exchange: ServerExchange, word: Word): void {
  const isFor = word.on === 'decide' ? 'join' : 'update';
  if (exchange.kind === isFor) return;
  throw new FleetError('invalid', `this needs the token of a ${isFor}, but it is that of a ${exchange.kind}`);
}
