export { startServer } from './server.ts';
export {
  DEFAULT_HTTPS_PORT,
  DEFAULT_LISTEN,
  DEFAULT_MQTTS_PORT,
  type RunningServer,
  type ServerOptions,
} from './options.ts';
export {
  Controller,
  type ControllerOptions,
  type JoinHandler,
  type Outcome,
  type UpdateOptions,
  type Waiting,
} from './sdk/controller.ts';
export type {
  Caller,
  Identity,
  JoinVerdict,
  ServerCommand,
  Standing,
  SuiteName,
  TokenKey,
} from '@srup/protocol';
export type { Fleet } from './fleet-port.ts';
export type { Orders } from './orders/orders.ts';
export type { Enrolment, EnrolmentState, IdentityDirectory } from './peers/directory.ts';
export { FleetError, type FaultKind } from './api/faults.ts';
export type { OperationName, Operations } from './api/operations.ts';
export type { AnswerOf, BodyOf, ParamsOf, QueryOf, RequestBodyOf } from './api/operations/operation.ts';
export type { Role } from './api/vocabulary.ts';
export type { ArtifactView } from './api/forms/artifacts.ts';
export type { AuditEntryView, AuditQuery, AuditStatus, WitnessView } from './api/forms/audit.ts';
export type { BrokerView, RevocationView } from './api/forms/broker.ts';
export type { DeviceQuery, DeviceView, RanView, Revocation } from './api/forms/devices.ts';
export type { EnrolmentCode } from './api/forms/enrolment.ts';
export type { FleetEvent } from './api/forms/events.ts';
export type { ExchangeQuery, ExchangeView } from './api/forms/exchanges.ts';
export type { DataView, MessageView, RefusalView } from './api/forms/messages.ts';
export type { CommandReceipt, OrderBody } from './api/forms/orders.ts';
export type { Page, PageQuery } from './api/forms/pages.ts';
export type { TokenView } from './api/forms/tokens.ts';
export { openBrokerAccess, SESSIONS_USER, type BrokerAccess } from './vault/broker-access.ts';
export { createBackup, type BackupMade } from './backup/create.ts';
export { checkBackup, restoreBackup, type Restored } from './backup/restore.ts';
export { examineTrail, type TrailFindings, type WitnessFinding } from './audit/examine.ts';
export { makeProbes, type ProbeCredential } from './keyservice/probe.ts';
export { LEAST_PASSPHRASE } from './backup/archive/cipher.ts';
export type { CopyPhase } from './copy/copy.ts';
export { moveServer, type DatabaseWish, type Moved } from './copy/move.ts';
export {
  CORE_FILE,
  findDatabases,
  KEYS_FILE,
  readDatabaseNote,
  type DatabaseNote,
  type Databases,
} from './store/databases.ts';
export { examinePostgres, type PostgresReport } from './store/postgres/examine.ts';
export { findDamage } from './store/sqlite/open.ts';
export { VERSION } from './version.ts';
