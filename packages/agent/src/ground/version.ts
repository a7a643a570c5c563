import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** Of this agent, as in its package. */
export const AGENT_VERSION = version;
