/** Rows, as people and programs outside see them. */
import { guessDataValue, toHex, type ServerExchange, type TokenKey } from '@srup/protocol';
import type { DeviceView } from '../api/forms/devices.ts';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import type { DataView as DataValue, MessageView, RefusalView } from '../api/forms/messages.ts';
import { readExchange } from '../peers/exchanges.ts';
import { explain, isFinal } from './explain.ts';
import type { DeviceRow } from '../store/schema/devices.ts';
import type { ExchangeRow } from '../store/schema/exchanges.ts';
import type { DataRow, MessageRow, NewRefusal } from '../store/schema/messages.ts';

/**
 * Views a device, with what it has proven.
 *
 * @example
 * viewDevice(row).running?.digest;
 */
export function viewDevice(row: DeviceRow & { readonly proven_at: number | null }): DeviceView {
  const running = viewProof(row.running_digest, row.running_at, row.running_token);
  const staged = viewProof(row.staged_digest, row.staged_at, row.staged_token);
  return {
    id: row.id,
    ...(row.name !== null && { name: row.name }),
    type: row.type,
    suite: row.suite,
    standing: row.standing,
    ...(row.identification !== null && { identification: row.identification }),
    confirms: row.confirms === 1,
    ...(running && { running }),
    ...(staged && { staged }),
    ...(row.proven_at !== null && { lastProvenAt: row.proven_at }),
    firstSeenAt: row.first_seen_at,
  };
}

function viewProof(
  digest: string | null,
  provenAt: number | null,
  token: TokenKey | null,
): DeviceView['running'] {
  return digest === null || provenAt === null || token === null ? undefined : { digest, provenAt, token };
}

/**
 * Views an exchange, with what its phase means. `updatedAt`: ms since 1970.
 *
 * @example
 * viewExchange(device, exchange, now).explanation; // 'Cancelled before activation.'
 */
export function viewExchange(
  device: string,
  exchange: ServerExchange,
  updatedAt: number,
  order?: string,
): ExchangeView {
  const meaning = { explanation: explain(exchange), isFinal: isFinal(exchange) };
  return { device, exchange, ...(order !== undefined && { order }), updatedAt, ...meaning };
}

/**
 * Views an exchange as it is stored, with the order that began it.
 *
 * @example
 * viewExchangeRow(row).order; // '9f3a61c07be42d15'
 */
export function viewExchangeRow(
  row: Pick<ExchangeRow, 'device' | 'state' | 'wake_at' | 'order_id' | 'updated_at'>,
): ExchangeView {
  return viewExchange(row.device, readExchange(row), row.updated_at, row.order_id ?? undefined);
}

/**
 * Views the evidence of a message; its bytes are hex.
 *
 * @example
 * viewMessage(row).hex;
 */
export function viewMessage({
  id,
  at,
  device,
  direction,
  type,
  sequence,
  token,
  bytes,
}: MessageRow): MessageView {
  return { id, at, device, direction, type, sequence, token, hex: toHex(bytes) };
}

/**
 * Views a value of a device, in its most likely kind (P 10.6).
 *
 * @example
 * viewData(row).value; // 21.5
 */
export function viewData({ at, device, data_id: dataId, bytes }: Omit<DataRow, 'id'>): DataValue {
  return { at, device, dataId, hex: toHex(bytes), ...viewValue(bytes) };
}

/** Reads a value as JSON can carry it. A double that JSON has no number for is a text, such as `NaN`. */
function viewValue(bytes: Uint8Array): Pick<DataValue, 'kind' | 'value'> {
  const { kind, value } = guessDataValue(bytes);
  if (typeof value === 'object') return { kind, value: toHex(value) };
  return { kind, value: typeof value === 'string' || Number.isFinite(value) ? value : String(value) };
}

/**
 * Views a refusal. The sender is what the message claims; nothing proves it.
 *
 * @example
 * viewRefusal(refusal).code; // 'REPLAY_SEEN'
 */
export function viewRefusal({ at, code, claimed_sender: sender, topic, type }: NewRefusal): RefusalView {
  return {
    at,
    code,
    ...(sender !== null && sender !== undefined && { claimedSender: sender }),
    topic,
    ...(type !== null && type !== undefined && { type }),
  };
}
