export { startAgent, type AgentEvent, type AgentOptions, type RunningAgent } from './agent.ts';
export {
  ConfigError,
  DATA_TYPES,
  parseConfig,
  readConfig,
  type AgentConfig,
  type AgentConfigInput,
  type DataType,
} from './config.ts';
export * from './contract.ts';
export { askAgent, ASKABLE, type Ask } from './control.ts';
export { homeAt, type Home } from './home.ts';
export type { Log } from './log.ts';
export type { AgentStatus } from './status.ts';
export { AgentError } from './trouble.ts';
export { AGENT_VERSION } from './version.ts';
