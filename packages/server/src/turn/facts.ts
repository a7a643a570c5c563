import type { Moment, ServerFacts } from '@srup/protocol';
import type { DeviceRecord } from '../peers/records.ts';
import type { TurnPorts } from './ports.ts';

/**
 * The time of an input, and a random number for it. Both are drawn once, so that the step is a function of values.
 *
 * @example
 * const step = stepServer(exchange, { on: 'time' }, momentOf(ports), factsOf(ports, record));
 */
export function momentOf({ clock, random }: Pick<TurnPorts, 'clock' | 'random'>): Moment {
  return { now: clock.now(), trusted: clock.isTrusted(), random: random.unit() };
}

/**
 * What an exchange with this device can rely on.
 *
 * @example
 * const step = openExchange(command, token, moment, factsOf(ports, record));
 */
export function factsOf({ policies }: Pick<TurnPorts, 'policies'>, { row }: DeviceRecord): ServerFacts {
  return {
    confirms: row.confirms === 1,
    joinVerdict: policies.verdictFor(row.type),
    joined: row.standing === 'joined',
    takesData: () => true,
  };
}
