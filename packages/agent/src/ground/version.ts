import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** The version of this agent, from its package. */
export const AGENT_VERSION = version;
