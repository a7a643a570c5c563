import type { Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import type { Performers } from '../engine/performers.ts';
import type { ProgramReport } from '../engine/report.ts';
import type { Home } from '../ground/home.ts';

/** What performers are made from. */
export interface Surroundings {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: ProgramReport;
  /**
   * Gives the PEM of the CA that the device trusts (pinned at enrolment), for HTTPS; the system's own may be used beside
   * it. Ask at each use: it is empty before enrolment, when the program runs already.
   */
  readonly ca: () => string;
  /** Action 09 (P 10.5), when allowed: durable when it resolves. The next start begins it at the latest. */
  readonly oweErasure: () => Promise<void>;
  /** Begins the erasure that is owed: the identity is forgotten, then `erase` is called. Call it in `afterwards`. */
  readonly beginErasure: () => void;
  /** Names this start of the system; undefined where it has no name. By default, what the kernel says. */
  readonly bootId?: () => Promise<string | undefined>;
}

export type OpenPerformers = (surroundings: Surroundings) => Performers;
