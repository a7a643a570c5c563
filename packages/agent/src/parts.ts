/** The parts that a device is made of, for who runs many in one process: the same code as the agent's. */
export { askAccess, askRegistration, askValidation } from './enrol/calls.ts';
export { makeTlsKey } from './enrol/csr.ts';
export { keyServiceAt, type KeyService } from './enrol/service.ts';
export { PassingTrouble } from './enrol/trouble.ts';
export type { EngineEvent } from './engine/engine.ts';
export { openSession, type LinkEvent, type Session } from './session.ts';
export type { Changes, Value } from './vault/journal.ts';
export { type Credentials, type DeviceIdentity } from './vault/identity.ts';
export { StoreError, type Store } from './vault/store.ts';
