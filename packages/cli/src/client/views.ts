/** What the API takes and answers: the only place where its shapes are named for the commands that use it. */
import type { AnswerOf, CommandReceipt, OperationName, Operations, RequestBodyOf } from '@srup/server';

export type {
  ArtifactView,
  AuditEntryView,
  AuditStatus,
  BrokerView,
  CommandReceipt,
  DataView,
  DeviceView,
  ExchangeView,
  FleetEvent,
  JoinVerdict,
  MessageView,
  RanView,
  RefusalView,
  Revocation,
  Standing,
  TokenView,
} from '@srup/server';

/** What became of one device: its message is on its way, or why there is none. */
export type Sent =
  | (Omit<Extract<CommandReceipt, { ok: true }>, 'order'> & { readonly order?: string })
  | Extract<CommandReceipt, { ok: false }>;

/** What an operation answers, as the server's table of operations defines it. */
export type AnswerTo<Name extends OperationName> = AnswerOf<Operations[Name]>;

type Order = RequestBodyOf<Operations['orderDevices']>;

/** Whom a command is for: exactly one of these, as the API takes it. */
export type Selection =
  Required<Pick<Order, 'devices'>> | Required<Pick<Order, 'type'>> | Required<Pick<Order, 'all'>>;

export type OrderedCommand = Order['command'];

export type DataValue = Extract<OrderedCommand, { readonly kind: 'data' }>['value'];
