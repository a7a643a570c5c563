/** What an operator sees and orders, through the API, as a process for each query would make the tests slow. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceView, DataView as Datum, ExchangeView, MessageView, RefusalView } from '@srup/server';
import type { Ground } from '../support/server.ts';
import { httpTrusting } from './reference/key-exchange.ts';

export interface Operator {
  device(id: string): Promise<DeviceView | undefined>;
  exchanges(id: string, kind: string): Promise<readonly ExchangeView[]>;
  data(id: string): Promise<readonly Datum[]>;
  messages(id: string): Promise<readonly MessageView[]>;
  refusals(): Promise<readonly RefusalView[]>;
  order(id: string, command: object): Promise<void>;
}

interface Profiles {
  readonly profiles: { readonly default: Readonly<Record<'url' | 'token' | 'ca', string>> };
}

/** Acts as the operator who is logged in at the only site of the ground. */
export async function openOperator(ground: Ground): Promise<Operator> {
  const profiles = await readFile(join(ground.folder, 'ctl.json'), 'utf8');
  const { url, token, ca } = (JSON.parse(profiles) as Profiles).profiles.default;
  const http = httpTrusting(ca, { authorization: `Bearer ${token}` });

  async function look<Answer>(path: string): Promise<Answer | undefined> {
    const { status, text } = await http('GET', `${url}/api/v1${path}`);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text) as Answer;
  }

  async function rows<Row>(path: string): Promise<readonly Row[]> {
    return (await look<{ rows: readonly Row[] }>(path))?.rows ?? [];
  }

  return {
    device: (id) => look(`/devices/${id}`),
    exchanges: (id, kind) => rows(`/exchanges?device=${id}&kind=${kind}`),
    data: (id) => rows(`/devices/${id}/data`),
    messages: (id) => rows(`/devices/${id}/messages?limit=500`),
    refusals: () => rows('/refusals'),
    order: async (id, command) => {
      const { status, text } = await http('POST', `${url}/api/v1/commands`, { devices: [id], command });
      if (status >= 300) throw new Error(`${status} ${text}`);
    },
  };
}
