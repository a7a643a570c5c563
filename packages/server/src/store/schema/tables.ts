import type { ArtifactsTable } from './artifacts.ts';
import type { AuditCheckpointsTable, AuditTable, AuditWitnessesTable } from './audit.ts';
import type { DevicesTable, PeersTable } from './devices.ts';
import type { ErrandsTable } from './errands.ts';
import type { ExchangesTable } from './exchanges.ts';
import type { JoinDecisionsTable, JoinPoliciesTable } from './joins.ts';
import type { DataTable, MessagesTable, RefusalCountsTable, RefusalsTable } from './messages.ts';
import type { OutboxTable } from './outbox.ts';
import type { EventsTable, SettingsTable } from './settings.ts';
import type { SoftwareTable } from './software.ts';
import type { ApiTokensTable } from './tokens.ts';

/**
 * All tables of the server's database. Times are milliseconds since 1970. Identities are hex text (P 2.7). Sequence ids
 * have 64 bits, more than an integer in SQL, and are decimal text. 0 and 1 stand for false and true.
 */
export interface CoreTables {
  devices: DevicesTable;
  peers: PeersTable;
  exchanges: ExchangesTable;
  outbox: OutboxTable;
  errands: ErrandsTable;
  messages: MessagesTable;
  refusals: RefusalsTable;
  refusal_counts: RefusalCountsTable;
  data: DataTable;
  software: SoftwareTable;
  join_policies: JoinPoliciesTable;
  join_decisions: JoinDecisionsTable;
  audit: AuditTable;
  audit_checkpoints: AuditCheckpointsTable;
  audit_witnesses: AuditWitnessesTable;
  events: EventsTable;
  settings: SettingsTable;
  artifacts: ArtifactsTable;
  api_tokens: ApiTokensTable;
}
