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
export { openBrokerAccess, SESSIONS_USER, type BrokerAccess } from './vault/broker-access.ts';
export * from './contract.ts';
export { createBackup, type BackupMade } from './backup/create.ts';
export { checkBackup, restoreBackup, type Restored } from './backup/restore.ts';
export { examineTrail, type TrailFindings, type WitnessFinding } from './audit/examine.ts';
export { makeProbes, type ProbeCredential } from './vault/probe.ts';
export { LEAST_PASSPHRASE } from './backup/cipher.ts';
export { VERSION } from './version.ts';
