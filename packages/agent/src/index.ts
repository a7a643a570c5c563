export { createActionTable, type ActionHandler, type ActionTable } from './act/actions.ts';
export { startAgent, type AgentEvent, type AgentOptions, type RunningAgent } from './agent.ts';
export {
  ConfigError,
  DATA_TYPES,
  parseConfig,
  type AgentConfig,
  type AgentConfigInput,
  type DataType,
} from './config/config.ts';
export * from './engine/performers.ts';
export type { ProgramReport } from './engine/report.ts';
export type { OpenPerformers, Surroundings } from './performers/surroundings.ts';
export { askAgent, ASKABLE, type Ask } from './control/control.ts';
export type { DataHandler, DataValue } from './data/data-table.ts';
export { homeAt, type Home } from './ground/home.ts';
export type { Log } from '@srup/node';
export type { HandedSoftware, SoftwareHandler } from './installers/handler.ts';
export type { NotNow } from './deferral/deferral.ts';
export { createPerformers, type PerformerExtras } from './performers/performers.ts';
export { MAX_PUT_OFF_MS, putOff, readPutOff, type PutOff } from './deferral/owner.ts';
export { Device, type BusyHandler, type DeviceOptions } from './sdk/device.ts';
export type { AgentStatus } from './control/status.ts';
export { readStoredStatus, type StoredStatus } from './control/stored.ts';
export { AgentError } from './ground/trouble.ts';
export { AGENT_VERSION } from './ground/version.ts';
