/** The parts of the agent, for a program that runs many devices in one process. */
export type { Performers } from './engine/performers.ts';
export { openPromise } from './ground/promise.ts';
export type { EngineEvent } from './engine/turn.ts';
export { askAccess, askRegistration, askValidation } from './identity/calls.ts';
export { makeTlsKey } from './identity/csr.ts';
export { keyServiceAt, type KeyService } from './identity/service.ts';
export { PassingTrouble } from './identity/passing-trouble.ts';
export type { Log } from '@srup/node';
export { openSession, type LinkEvent, type Session } from './session.ts';
export { AgentError, reasonOf } from './ground/trouble.ts';
export { judgeStatus } from './software/fetch/answer.ts';
export { createTransport, type Answer } from './software/fetch/transport.ts';
export type { Changes, Value } from './vault/journal.ts';
export type { Credentials } from './vault/identity.ts';
export { StoreError, type Store } from './vault/store.ts';
export { AGENT_VERSION } from './ground/version.ts';
