import { toHex, type ServerExchange, type TokenKey } from '@srup/protocol';
import type {
  DataView as DataValue,
  DeviceView,
  ExchangeView,
  MessageView,
  RefusalView,
} from '../contract.ts';
import type { DataRow, DeviceRow, ExchangeRow, MessageRow, NewRefusal } from '../store/tables.ts';
import { explain, isFinal } from './explain.ts';
import { readValue } from './values.ts';

/** Rows as people and programs outside see them. */

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

export function viewExchange(device: string, exchange: ServerExchange, updatedAt: number): ExchangeView {
  return { device, exchange, updatedAt, explanation: explain(exchange), isFinal: isFinal(exchange) };
}

export function viewExchangeRow(row: Pick<ExchangeRow, 'device' | 'state' | 'updated_at'>): ExchangeView {
  return viewExchange(row.device, JSON.parse(row.state) as ServerExchange, row.updated_at);
}

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

export function viewData({ at, device, data_id: dataId, bytes }: Omit<DataRow, 'id'>): DataValue {
  return { at, device, dataId, hex: toHex(bytes), ...readValue(bytes) };
}

export function viewRefusal({ at, code, claimed_sender: sender, topic, type }: NewRefusal): RefusalView {
  return {
    at,
    code,
    ...(sender !== null && sender !== undefined && { claimedSender: sender }),
    topic,
    ...(type !== null && type !== undefined && { type }),
  };
}
