import type { Caller, Identity, JoinVerdict, ServerCommand, TokenKey } from '@srup/protocol';
import type { DeviceQuery, DeviceView, RanView, Revocation } from './api/forms/devices.ts';
import type { FleetEvent } from './api/forms/events.ts';
import type { ExchangeQuery, ExchangeView } from './api/forms/exchanges.ts';
import type {
  DataQuery,
  DataView,
  MessageQuery,
  MessageView,
  RefusalCounts,
  RefusalView,
} from './api/forms/messages.ts';
import type { CommandReceipt, Selection } from './api/forms/orders.ts';
import type { Page, PageQuery } from './api/forms/pages.ts';
import type { SoftwareOfDevice } from './peers/software.ts';

/**
 * The fleet, as HTTP, the SDK and the server's own programs use it. A call rejects with `FleetError` when it can't do
 * what was asked. `by`: the caller, for the audit trail and the evidence of joins (P 9.8); by default the program that
 * runs the server.
 *
 * @example
 * const { rows } = await fleet.devices({ standing: 'joined' });
 * const receipts = await fleet.command(rows.map(({ id }) => id), { kind: 'identify' });
 */
export interface Fleet {
  readonly serverId: Identity;
  /** Devices in the order of their ids. */
  devices(query: DeviceQuery): Promise<Page<DeviceView>>;
  device(id: string): Promise<DeviceView | undefined>;
  /** What the device has proven to run, newest first, each digest once. */
  software(id: string): Promise<readonly RanView[]>;
  /** What each of these devices runs, and what it has proven to have run. Unknown devices are left out. */
  softwareOf(ids: readonly string[]): Promise<ReadonlyMap<string, SoftwareOfDevice>>;
  /** The ids of the devices that a selection means, each once. */
  select(selection: Selection): Promise<readonly string[]>;
  /** `name`: 1 to 100 printable characters that do not look like the id of a device. */
  rename(id: string, name: string, by?: Caller): Promise<DeviceView>;
  /** Newest first, as are messages, data and refusals. */
  exchanges(query: ExchangeQuery): Promise<Page<ExchangeView>>;
  exchange(device: string, token: TokenKey): Promise<ExchangeView | undefined>;
  messages(query: MessageQuery): Promise<Page<MessageView>>;
  data(query: DataQuery): Promise<Page<DataView>>;
  refusals(query: PageQuery): Promise<Page<RefusalView>>;
  refusalCounts(): Promise<RefusalCounts>;
  /**
   * Sends one signed message to each device, each with its own token (P 10.9). Resolves when they are committed, with
   * the receipts in the order of the devices.
   */
  command(
    devices: readonly string[],
    command: ServerCommand,
    by?: Caller,
  ): Promise<readonly CommandReceipt[]>;
  /** Activates a staged update. A device that defers it is asked again now. */
  activate(device: string, token: TokenKey, by?: Caller): Promise<ExchangeView>;
  /** Cancels an update that is not activated. */
  cancel(device: string, token: TokenKey, by?: Caller): Promise<ExchangeView>;
  decideJoin(
    device: string,
    token: TokenKey,
    verdict: Exclude<JoinVerdict, 'ask'>,
    by?: Caller,
  ): Promise<ExchangeView>;
  /** By device type; `*` is for types without a rule of their own. A new server has one rule: `*` is `ask`. */
  joinPolicy(): Promise<Readonly<Record<string, JoinVerdict>>>;
  /** Sets the rule of a type. Undefined removes it. */
  setJoinPolicy(type: string, verdict: JoinVerdict | undefined, by?: Caller): Promise<void>;
  /**
   * Ends the identity of a lost or stolen device now, without its answer (P 10.8). When this resolves, the end is
   * committed, and the server refuses every message of the device. `ended` is false when its certificate, or its
   * session at the broker, could not be ended yet; the server retries until they are.
   */
  revoke(id: string, by?: Caller): Promise<Revocation>;
  /**
   * Calls the listener with each event from now on, or after event `since`, if the server still has those. Returns a
   * function that stops it.
   */
  watch(listener: (event: FleetEvent) => void, since?: number): () => void;
}
