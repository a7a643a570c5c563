/** The parts that a device is made of, for who runs many in one process: the same code as the agent's. */
export type { Performers } from './contract.ts';
export { defer } from './deferred.ts';
export type { EngineEvent } from './engine/engine.ts';
export { askAccess, askRegistration, askValidation } from './enrol/calls.ts';
export { makeTlsKey } from './enrol/csr.ts';
export { keyServiceAt, type KeyService } from './enrol/service.ts';
export { PassingTrouble } from './enrol/trouble.ts';
export type { Log } from './log.ts';
export { openSession, type LinkEvent, type Session } from './session.ts';
export { AgentError, reasonOf } from './trouble.ts';
export { judgeStatus } from './update/answer.ts';
export { createTransport, type Answer } from './update/transport.ts';
export type { Changes, Value } from './vault/journal.ts';
export type { Credentials } from './vault/identity.ts';
export { StoreError, type Store } from './vault/store.ts';
export { AGENT_VERSION } from './version.ts';
