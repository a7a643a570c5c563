import type { Shown } from './values.ts';

/** A value for a program in the same process: text, a number, or bytes that are neither (P 10.6). */
export type DataValue = string | number | Uint8Array;

/**
 * Takes DATA from the server. A rejection is answered with 3F. The signal aborts on timeout (`actions.timeoutSeconds`)
 * or when the agent stops.
 */
export type DataHandler = (value: DataValue, dataId: string, signal: AbortSignal) => Promise<void> | void;

/** Handlers of a program that has the agent built in. */
export interface DataTable {
  /** Sets the handler for one data id, or with `undefined` for all ids without one. It replaces an earlier handler. */
  on(dataId: string | undefined, handler: DataHandler): void;
  find(dataId: string): DataHandler | undefined;
}

export function createDataTable(): DataTable {
  const handlers = new Map<string | undefined, DataHandler>();
  return {
    on(dataId, handler) {
      handlers.set(dataId, handler);
    },
    find: (dataId) => handlers.get(dataId) ?? handlers.get(undefined),
  };
}

export function valueOf(shown: Shown): DataValue {
  if ('text' in shown) return shown.text;
  return 'number' in shown ? shown.number : Buffer.from(shown.base64, 'base64');
}
