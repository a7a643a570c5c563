// Refusals, limits, and what comes in from outside: clock and randomness.
export * from './faults.ts';
export * from './limits.ts';
export * from './ports.ts';

// Names: who speaks, in which transaction, on which topic.
export * from './identity.ts';
export * from './token.ts';
export * from './topics.ts';

// Messages: their types, their fields, and their bytes.
export * from './message/layouts.ts';
export * from './message/message.ts';
export * from './message/status.ts';
export * from './message/envelope.ts';

// Trust: what a message must pass before it may act. Both ends use `screen` and `receive`, and `compose` to answer.
export * from './inbound.ts';
export * from './outbound.ts';
export * from './trust/suite.ts';
export * from './trust/peer.ts';
export * from './trust/screen.ts';
export * from './trust/admit.ts';
export * from './trust/authentic.ts';
export * from './trust/replay.ts';

// Exchanges: the conversations of a device and its server, as pure steps.
export * from './exchange/step.ts';
export * from './exchange/device-state.ts';
export * from './exchange/device-step.ts';
export * from './exchange/device.ts';
export { createMemory, type KeptMemory } from './exchange/remembered.ts';
export * from './exchange/server-exchange.ts';
export * from './exchange/server-step.ts';
export * from './exchange/server.ts';

// Rules of single exchanges that others need too: actions, DATA, identification, updates.
export { isActionStale } from './exchange/action/device.ts';
export * from './exchange/action/standard.ts';
export { isProgramDataId, isReservedDataId } from './exchange/data/ids.ts';
export * from './exchange/data/value.ts';
export {
  confirmsCommands,
  IDENTIFICATION_DATA_ID,
  runningDigest,
} from './exchange/identify/identification.ts';
export { isDigest } from './exchange/update/digest.ts';
export { isListedHost } from './exchange/update/url.ts';

// Presence: how a join's nonce is shown and read back.
export * from './presence/hex.ts';
export { NONCE_BYTES, type MisreadReason, type Reading } from './presence/nonce.ts';
export * from './presence/pictogram.ts';
export * from './presence/words.ts';

// Audit: who ordered what, and how an exported history is verified.
export * from './audit/caller.ts';
export * from './audit/entry.ts';
export * from './audit/checkpoint.ts';
export { EXPORT_FORMAT, type EntryLine, type HeaderLine } from './audit/lines.ts';
export { AUDIT_FAULTS, type AuditFault, type Finding } from './audit/findings.ts';
export type { Fact } from './audit/device-history.ts';
export type { DeviceReport, VerifyReport } from './audit/report.ts';
export { createVerifier, type Verifier, type VerifyOptions } from './audit/verify.ts';

// Inspection: what people read about bytes.
export * from './inspect/describe.ts';
export * from './inspect/edition2016.ts';
export * from './inspect/fault-meaning.ts';
export * from './inspect/json-form.ts';
export { plainText, showBytes, showCount, showText } from './inspect/show.ts';
export * from './inspect/table.ts';

// Encodings: hex, base64url and UTF-8, strict both ways.
export * from './wire/encoding.ts';
export { encodeText, readText } from './wire/text.ts';
