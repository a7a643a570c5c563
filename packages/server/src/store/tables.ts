import type { Generated, Insertable, Selectable } from 'kysely';
import type { AuditTables } from '../audit/tables.ts';
import type { FaultCode, JoinVerdict, ServerExchange, Standing, SuiteName } from '@srup/protocol';

/**
 * The tables of the C2 core. Times are milliseconds since 1970. Identities are hex text (P 2.7); sequence ids have
 * 64 bits, more than SQL's integers, and are decimal text. 0 and 1 are truth values.
 */
export interface FleetTables extends AuditTables {
  devices: DevicesTable;
  peers: PeersTable;
  exchanges: ExchangesTable;
  outbox: OutboxTable;
  messages: MessagesTable;
  refusals: RefusalsTable;
  refusal_counts: { code: FaultCode; count: number };
  data: DataTable;
  join_policies: { type: string; verdict: JoinVerdict };
  join_decisions: JoinDecisionsTable;
  events: { seq: Generated<number>; at: number; event: string };
  settings: { name: string; value: string };
  errands: ErrandsTable;
  software: SoftwareTable;
}

/** What is known of a device; changes rarely. */
interface DevicesTable {
  id: string;
  name: string | null;
  type: string;
  suite: SuiteName;
  public_pem: string;
  seal_pem: string | null;
  standing: Standing;
  confirms: number;
  identification: string | null;
  running_digest: string | null;
  running_at: number | null;
  running_token: string | null;
  /** When the ACTIVATE that the proof answers was ordered: a later answer to an earlier order proves nothing new. */
  running_ordered_at: number | null;
  staged_digest: string | null;
  staged_at: number | null;
  staged_token: string | null;
  first_seen_at: number;
}

/** What changes with every message of a device (P 5). */
interface PeersTable {
  device: string;
  sent: string;
  highest: string;
  seen: string;
  proven_at: number | null;
}

interface ExchangesTable {
  id: Generated<number>;
  device: string;
  token: string;
  kind: ServerExchange['kind'];
  /** The order that it is part of; null: no caller's order began it. */
  order_id: string | null;
  phase: string;
  is_open: number;
  /** The `ServerExchange` as JSON. */
  state: string;
  wake_at: number | null;
  opened_at: number;
  updated_at: number;
}

/** Messages that are owed to the broker. */
interface OutboxTable {
  id: Generated<number>;
  device: string;
  sequence: string;
  /** The signed bytes; until `is_signed` the draft, in the form of `writeDraft`. */
  message: Uint8Array;
  is_signed: number;
  created_at: number;
}

/** What one owner's turn asked of another owner, or of its own one later. */
interface ErrandsTable {
  id: Generated<number>;
  owner: string;
  kind: string;
  /** JSON. */
  body: string;
  /** Not to be performed before. */
  after: number;
  created_at: number;
}

/** Evidence: messages that were accepted or sent. */
interface MessagesTable {
  id: Generated<number>;
  at: number;
  device: string;
  direction: 'in' | 'out';
  type: string;
  sequence: string;
  token: string;
  bytes: Uint8Array;
  /** Is it in an audit entry? */
  is_chained: Generated<number>;
}

interface RefusalsTable {
  id: Generated<number>;
  at: number;
  code: FaultCode;
  claimed_sender: string | null;
  topic: string;
  type: string | null;
}

interface DataTable {
  id: Generated<number>;
  at: number;
  device: string;
  data_id: string;
  bytes: Uint8Array;
}

/** What a device proved that it ran: a row each time that it became something else. */
interface SoftwareTable {
  id: Generated<number>;
  device: string;
  digest: string;
  /** Of the message that proves it. */
  token: string;
  at: number;
  /** 1: it failed later, or a rollback left it behind. No way back leads there. */
  is_undone: number;
}

/** Who or what decided a join, and when (P 9.8). */
interface JoinDecisionsTable {
  id: Generated<number>;
  device: string;
  token: string;
  at: number;
  verdict: Exclude<JoinVerdict, 'ask'>;
  /** A `Caller` as JSON; in rows of earlier releases a text. */
  decided_by: string;
}

export type DeviceRow = Selectable<DevicesTable>;
export type PeerRow = Selectable<PeersTable>;
export type ExchangeRow = Selectable<ExchangesTable>;
export type OutboxRow = Selectable<OutboxTable>;
export type MessageRow = Selectable<MessagesTable>;
export type RefusalRow = Selectable<RefusalsTable>;
export type DataRow = Selectable<DataTable>;
export type NewMessage = Omit<Insertable<MessagesTable>, 'is_chained'>;
export type NewRefusal = Insertable<RefusalsTable>;
