/** Sends one command to devices. */
import type { CommandReceipt, ExchangeView, OrderedCommand, Selection, Sent } from '../../client/views.ts';
import { UserError } from '../../user-error.ts';
import type { Api } from '../../client/api.ts';
import { findDevices } from '../../client/find.ts';

export interface SelectionOptions {
  readonly type?: string | undefined;
  readonly all?: true | undefined;
}

/** Splits the words of a command that takes devices and then one more thing. */
export function splitWords(words: readonly string[], thing: string, { type, all }: SelectionOptions) {
  const last = words.at(-1) as string;
  if (words.length === 1 && type === undefined && all === undefined) {
    throw new UserError(
      `"${last}" is read as the ${thing}, so no device is named`,
      `Name devices before the ${thing}, or give --type TYPE or --all.`,
    );
  }
  return { names: words.slice(0, -1), last };
}

/** Selects devices by exactly one of names, a type, and all. */
export async function select(
  api: Api,
  names: readonly string[],
  { type, all }: SelectionOptions,
): Promise<Selection> {
  const ways = [names.length > 0, type !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) {
    throw new UserError(
      ways === 0 ? 'no device is named' : 'devices are chosen in more than one way',
      'Name devices, or give --type TYPE or --all.',
    );
  }
  if (type !== undefined) return { type };
  return all === true ? { all } : { devices: (await findDevices(api, names)).map(({ id }) => id) };
}

/** What became of a command for one device. */
export interface Outcome {
  readonly device: string;
  readonly token?: string;
  /** The order that the command belongs to; `srup ctl exchanges --order ID` shows it. */
  readonly order?: string;
  /** Undefined if the server did not send it. */
  readonly phase?: string;
  readonly isGood: boolean;
  readonly explanation: string;
  readonly view?: ExchangeView;
  /** The software that a rollback returns to, and whether the server has its file. */
  readonly rollback?: { readonly digest: string; readonly isStored: boolean };
}

export function send(api: Api, to: Selection, command: OrderedCommand): Promise<readonly CommandReceipt[]> {
  return api.send('POST', '/commands', { ...to, command });
}

/** What the server answered, when the command does not wait for the devices. */
export function sentOutcome(receipt: Sent): Outcome {
  const { device } = receipt;
  if (!receipt.ok) return { device, isGood: false, explanation: receipt.reason };
  const { token, order, rollback } = receipt;
  return {
    ...{ device, token, phase: 'sent', isGood: true, explanation: 'Signed and sent.' },
    ...(order !== undefined && { order }),
    ...(rollback && { rollback }),
  };
}
