export * from './faults.ts';
export * from './limits.ts';
export * from './identity.ts';
export * from './token.ts';
export * from './topics.ts';
export * from './ports.ts';
export * from './message/layouts.ts';
export * from './message/message.ts';
export * from './message/status.ts';
export * from './message/envelope.ts';
export * from './security/suite.ts';
export * from './security/admit.ts';
export * from './security/authentic.ts';
export * from './security/replay.ts';
export * from './inbound.ts';
export * from './outbound.ts';
export * from './exchange/contract.ts';
export * from './exchange/device.ts';
export { createMemory, type KeptMemory } from './exchange/remembered.ts';
export * from './exchange/server.ts';
export { isProgramDataId, isReservedDataId } from './exchange/data/ids.ts';
export { isActionStale } from './exchange/action/device.ts';
export * from './exchange/action/standard.ts';
export * from './wire/encoding.ts';
export { encodeText, readText } from './wire/text.ts';
export * from './fault-meaning.ts';
export * from './message/describe.ts';
export * from './message/edition2016.ts';
export * from './message/json-form.ts';
export { plainText, showBytes, showCount, showText } from './message/show.ts';
export * from './message/table.ts';
export * from './presence/hex.ts';
export { NONCE_BYTES, type MisreadReason, type Reading } from './presence/nonce.ts';
export * from './presence/pictogram.ts';
export * from './presence/words.ts';
export {
  confirmsCommands,
  IDENTIFICATION_DATA_ID,
  runningDigest,
} from './exchange/identify/identification.ts';
export { isDigest } from './exchange/update/digest.ts';
export { isListedHost } from './exchange/update/url.ts';
export * from './audit/entry.ts';
export * from './audit/checkpoint.ts';
export { EXPORT_FORMAT, type EntryLine, type HeaderLine } from './audit/lines.ts';
export { AUDIT_FAULTS, type AuditFault, type Finding } from './audit/findings.ts';
export type { Fact } from './audit/device-history.ts';
export type { DeviceReport, VerifyReport } from './audit/report.ts';
export { createVerifier, type Verifier, type VerifyOptions } from './audit/verify.ts';
