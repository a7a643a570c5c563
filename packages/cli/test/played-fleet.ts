import { randomUUID } from 'node:crypto';
import { newToken, systemClock, systemRandom } from '@srup/node';
import type { ServerExchange } from '@srup/protocol';
import type {
  CommandReceipt,
  DeviceView,
  ExchangeView,
  Fleet,
  FleetEvent,
  JoinVerdict,
  Page,
  RefusalView,
  ServerCommand,
} from '@srup/server';
import { FleetError } from '../../server/src/api/faults.ts';
import type { KeyService } from '../../server/src/keyservice/service.ts';
import type { Trail } from '../../server/src/audit/trail.ts';

type Kind = ServerExchange['kind'];
type Code = Awaited<ReturnType<KeyService['codes']['list']>>[number];
type News = FleetEvent extends infer Event
  ? Event extends FleetEvent
    ? Omit<Event, 'seq' | 'at'>
    : never
  : never;

export interface PlayedFleet {
  readonly fleet: Fleet;
  readonly devices: Map<string, DeviceView>;
  readonly refusals: RefusalView[];
  /** The commands that operators sent. */
  readonly commands: { readonly devices: readonly string[]; readonly command: ServerCommand }[];
  /** The phases that an exchange goes through by itself once it is open; the last one stays. */
  script: (device: string, kind: Kind) => readonly string[];
  /** Devices to which nothing can be sent, and why. */
  readonly unsendable: Map<string, string>;
  tell(news: News): void;
  open(device: string, kind: Kind, phase: string): ExchangeView;
  /** Sends no event if `quietly`. */
  advance(view: ExchangeView, phase: string, quietly?: boolean): ExchangeView;
  find(device: string, kind: Kind): ExchangeView;
  /** Resolves when this many streams are open. */
  watchers(count: number): Promise<void>;
  /** Resolves when such an exchange exists. */
  opened(device: string, kind: Kind): Promise<void>;
}

const OPEN = ['initiated', 'staged', 'activating', 'sent', 'pending'];

export function playedDevice(id: string, more: Partial<DeviceView> = {}): DeviceView {
  return {
    id,
    type: 'demo',
    suite: 'ed25519',
    standing: 'joined',
    confirms: true,
    firstSeenAt: 1_750_000_000_000,
    ...more,
  };
}

export function playFleet(): PlayedFleet {
  const devices = new Map<string, DeviceView>();
  const exchanges: ExchangeView[] = [];
  const listeners = new Set<(event: FleetEvent) => void>();
  const policy: Record<string, JoinVerdict> = { '*': 'ask' };
  let seq = 0;
  let onWatch: () => void = () => undefined;
  let onOpen: () => void = () => undefined;

  const played: PlayedFleet = {
    fleet: undefined as unknown as Fleet,
    devices,
    refusals: [],
    commands: [],
    script: (_device, kind) => (kind === 'update' ? ['staged', 'activating', 'active'] : ['done']),
    unsendable: new Map(),
    tell: (news) => {
      seq += 1;
      const event = { seq, at: Date.now(), ...news } as FleetEvent;
      for (const listener of [...listeners]) listener(event);
    },
    open: (device, kind, phase) => {
      const exchange = {
        kind,
        phase,
        token: newToken(systemClock, systemRandom),
        openedAt: Date.now(),
        attempts: 1,
      };
      const view = viewOf(device, exchange as ServerExchange, Date.now());
      exchanges.unshift(view);
      onOpen();
      played.tell({ kind: 'exchange', change: view });
      return view;
    },
    advance: (view, phase, quietly = false) => {
      const index = exchanges.findIndex(({ exchange }) => exchange.token === view.exchange.token);
      const next = viewOf(view.device, { ...view.exchange, phase } as ServerExchange, view.updatedAt + 1);
      exchanges[index] = next;
      if (!quietly) played.tell({ kind: 'exchange', change: next });
      return next;
    },
    find: (device, kind) => {
      const found = exchanges.find((view) => view.device === device && view.exchange.kind === kind);
      if (found === undefined) throw new Error(`no ${kind} with ${device}`);
      return found;
    },
    opened: (device, kind) =>
      new Promise((resolve) => {
        onOpen = () => {
          if (
            exchanges.some((view) => view.device === device && view.exchange.kind === kind && !view.isFinal)
          )
            resolve();
        };
        onOpen();
      }),
    watchers: (count) =>
      new Promise((resolve) => {
        onWatch = () => {
          if (listeners.size >= count) resolve();
        };
        onWatch();
      }),
  };

  function play(view: ExchangeView): void {
    const phases = [...played.script(view.device, view.exchange.kind)];
    const step = (last: ExchangeView) => {
      const phase = phases.shift();
      if (phase !== undefined)
        setImmediate(() => {
          step(played.advance(last, phase));
        });
    };
    step(view);
  }

  function move(device: string, token: string, from: readonly string[], to: string): ExchangeView {
    const view = exchanges.find((one) => one.device === device && one.exchange.token === token);
    if (view === undefined) throw new FleetError('not-found', 'no such exchange');
    if (!from.includes(view.exchange.phase)) throw new FleetError('conflict', `it is ${view.exchange.phase}`);
    return played.advance(view, to);
  }

  const fleet: Partial<Fleet> = {
    devices: async ({ search = '', type, standing, cursor, limit }) => {
      const fits = [...devices.values()].filter(
        (device) =>
          (device.id + (device.name ?? '') + device.type).includes(search) &&
          (type === undefined || device.type === type) &&
          (standing === undefined || device.standing === standing),
      );
      return pageOf(fits, cursor, limit);
    },
    device: async (id) => devices.get(id),
    select: async (selection) =>
      selection.devices ??
      [...devices.values()]
        .filter(({ standing, type }) => standing === 'joined' && type === (selection.type ?? type))
        .map(({ id }) => id),
    softwareOf: async () => new Map(),
    rename: async (id, name) => {
      const device = { ...(devices.get(id) as DeviceView), name };
      devices.set(id, device);
      played.tell({ kind: 'device', device });
      return device;
    },
    exchanges: async ({ device, kind, open, cursor, limit }) => {
      const fits = exchanges.filter(
        (view) =>
          (device === undefined || view.device === device) &&
          (kind === undefined || view.exchange.kind === kind) &&
          (open === undefined || view.isFinal !== open),
      );
      return pageOf(fits, cursor, limit);
    },
    exchange: async (device, token) =>
      exchanges.find((view) => view.device === device && view.exchange.token === token),
    messages: async () => ({ rows: [] }),
    data: async () => ({ rows: [] }),
    refusals: async ({ cursor, limit }) => pageOf(played.refusals, cursor, limit),
    refusalCounts: async () => ({ REPLAY_OLD: played.refusals.length }),
    command: async (ids, command) => {
      played.commands.push({ devices: ids, command });
      return ids.map((device): CommandReceipt => {
        const reason = played.unsendable.get(device);
        if (reason !== undefined) return { device, ok: false, reason };
        const kind = command.kind === 'terminate' || command.kind === 'deregister' ? 'leave' : command.kind;
        const view = played.open(device, kind, kind === 'update' ? 'initiated' : 'sent');
        play(view);
        return { device, ok: true, token: view.exchange.token, order: 'a0a1a2a3a4a5a6a7' };
      });
    },
    activate: async (device, token) => {
      const view = move(device, token, ['staged'], 'activating');
      setImmediate(() => played.advance(view, 'active'));
      return view;
    },
    cancel: async (device, token) => move(device, token, ['initiated', 'staged'], 'cancelled'),
    decideJoin: async (device, token, verdict) =>
      move(
        device,
        token,
        ['pending'],
        verdict === 'accept' ? 'accepted' : verdict === 'refuse' ? 'refused' : 'failed',
      ),
    joinPolicy: async () => policy,
    setJoinPolicy: async (type, verdict) => {
      if (verdict === undefined) Reflect.deleteProperty(policy, type);
      else policy[type] = verdict;
    },
    watch: (listener) => {
      listeners.add(listener);
      onWatch();
      return () => listeners.delete(listener);
    },
  };
  return Object.assign(played, { fleet });
}

function viewOf(device: string, exchange: ServerExchange, updatedAt: number): ExchangeView {
  return {
    device,
    exchange,
    updatedAt,
    explanation: `It is ${exchange.phase}.`,
    isFinal: !OPEN.includes(exchange.phase),
  };
}

function pageOf<Row>(rows: readonly Row[], cursor = '0', limit = 100): Page<Row> {
  const end = Number(cursor) + limit;
  return { rows: rows.slice(Number(cursor), end), ...(end < rows.length && { next: String(end) }) };
}

/** An audit trail without entries; tests that need one start a real server. */
export function playTrail(): Trail {
  return {} as Trail;
}

/** A key service that is open, with enrolment codes in memory. */
export function playKeyService(): KeyService {
  const codes = new Map<string, Code>();
  let open = true;
  const service: Partial<KeyService> = {
    status: async () => ({ active: open, broker: 'mqtts://localhost:8883', identity: '1' }),
    setOpen: async (isOpen: boolean) => {
      open = isOpen;
    },
    codes: {
      create: async ({ uses, by: _, ...wish }) => {
        const code = { id: randomUUID(), usesLeft: uses, createdAt: Date.now(), ...wish };
        codes.set(code.id, code);
        return { secret: `code-${codes.size}`, code };
      },
      list: async () => [...codes.values()],
      remove: async (id) => codes.delete(id),
    },
  };
  return service as KeyService;
}
