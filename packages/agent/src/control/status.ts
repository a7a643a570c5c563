import type { DeviceState, SuiteName } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import type { Performers, RunningSoftware } from '../engine/performers.ts';
import type { RefusalCounts } from '../engine/refusals.ts';
import type { Ending } from '../identity/ending.ts';
import type { Life } from '../life.ts';
import { AGENT_VERSION } from '../ground/version.ts';

/** What a device says about itself to a person in front of it. No secrets. Times are ms since 1970. */
export interface AgentStatus {
  /**
   * `enrolling`: it has no identity yet. `unregistered`: it gave its identity up and waits for an order (P 10.8), or it
   * could not register (`trouble`). `revoked`, `unknown`: its key service says that its identity is over.
   */
  readonly phase: 'enrolling' | 'unregistered' | Ending | DeviceState['join']['phase'];
  /** Why it could not register, and what a person can do. */
  readonly trouble?: { readonly message: string; readonly hint?: string };
  readonly type: string;
  readonly suite: SuiteName;
  /** URL of the key service. */
  readonly url: string;
  /** Ids as hex text. */
  readonly id?: string;
  readonly server?: string;
  readonly broker?: string;
  readonly connected: boolean;
  readonly software: RunningSoftware;
  /** Unfinished exchanges with the server. */
  readonly open: readonly { readonly kind: string; readonly phase: string; readonly detail: string }[];
  /** Messages that wait to be sent. */
  readonly waiting: number;
  readonly refusals: RefusalCounts;
  /** When the server was last proven to have spoken. */
  readonly heardAt?: number;
  readonly startedAt: number;
  readonly pid: number;
  readonly version: string;
}

export function describeStatus(
  life: Life,
  performers: Performers,
  config: AgentConfig,
  startedAt: number,
): AgentStatus {
  const session = life.session();
  const view = session?.engine.view();
  const identity = session?.credentials.identity;
  const { type, suite, url } = config;
  const trouble = life.trouble();
  return {
    phase: life.ending() ?? view?.join.phase ?? (life.isUnregistered() ? 'unregistered' : 'enrolling'),
    ...(trouble && {
      trouble: { message: trouble.message, ...(trouble.hint !== undefined && { hint: trouble.hint }) },
    }),
    ...{ type, suite, url },
    ...(identity && { id: identity.id, server: identity.server, broker: identity.broker }),
    connected: session?.isConnected() ?? false,
    software: performers.running(),
    open: describeOpen(view?.open ?? {}),
    waiting: view?.waiting ?? 0,
    refusals: view?.refusals ?? {},
    ...(view?.heardAt !== undefined && { heardAt: view.heardAt }),
    startedAt,
    pid: process.pid,
    version: AGENT_VERSION,
  };
}

function describeOpen(open: DeviceState['open']): AgentStatus['open'] {
  return Object.values(open).map((exchange) => {
    const { kind, phase } = exchange;
    switch (exchange.kind) {
      case 'update':
        return { kind, phase, detail: exchange.digest };
      case 'action':
        return { kind, phase, detail: exchange.actionId.toString(16).padStart(2, '0') };
      case 'leave':
        return { kind, phase, detail: exchange.what };
    }
  });
}
