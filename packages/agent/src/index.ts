export { createActionTable, type ActionHandler, type ActionTable } from './act/actions.ts';
export { startAgent, type AgentEvent, type AgentOptions, type RunningAgent } from './agent.ts';
export {
  ConfigError,
  DATA_TYPES,
  parseConfig,
  type AgentConfig,
  type AgentConfigInput,
  type DataType,
} from './config.ts';
export * from './contract.ts';
export { askAgent, ASKABLE, type Ask } from './control.ts';
export type { DataHandler, DataValue } from './lines/data-table.ts';
export { homeAt, type Home } from './home.ts';
export type { Log } from './log.ts';
export type { HandedSoftware, SoftwareHandler } from './run/handler-installer.ts';
export type { NotNow } from './run/not-now.ts';
export { createPerformers, type PerformerExtras } from './run/performers.ts';
export { MAX_PUT_OFF_MS, putOff, readPutOff, type PutOff } from './run/put-off.ts';
export { Device, type BusyHandler, type DeviceOptions } from './sdk/device.ts';
export type { AgentStatus } from './status.ts';
export { readStoredStatus, type StoredStatus } from './stored.ts';
export { AgentError } from './trouble.ts';
export { AGENT_VERSION } from './version.ts';
