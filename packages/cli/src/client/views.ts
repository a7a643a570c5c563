/** What the API takes and answers: the only place where its shapes are named for the commands that use it. */
import type { RunningServer } from '@srup/server';

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
} from '@srup/server';

export type TokenView = Awaited<ReturnType<RunningServer['tokens']['list']>>[number];
export type EnrolmentCodeView = Awaited<ReturnType<RunningServer['codes']['list']>>[number];

/** Whom a command is for, as the API takes it. */
export type Selection =
  { readonly devices: readonly string[] } | { readonly type: string } | { readonly all: true };

/** The body's `command`, as http/schemas.ts of the server defines it. */
export type OrderedCommand =
  | { readonly kind: 'update'; readonly digest: string; readonly activate: boolean }
  | { readonly kind: 'rollback'; readonly to?: string }
  | { readonly kind: 'action'; readonly actionId: number }
  | { readonly kind: 'data'; readonly dataId: string; readonly value: DataValue }
  | { readonly kind: 'identify' | 'terminate' | 'deregister' };

export type DataValue =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'int32' | 'double'; readonly number: number }
  | { readonly type: 'hex'; readonly hex: string };
