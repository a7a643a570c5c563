/** A device of pySRUP. It confirms an update's download and nothing else. */
import { inOrder, makeParty, type Link, type OpenLink, type Party, type Self } from './party.ts';
import { open } from './seal.ts';
import type { Body, ReceivedNote } from './wire.ts';

export interface Registered extends Self {
  readonly server: string;
  readonly serverPem: string;
}

export interface DeviceTools {
  readonly openLink: OpenLink;
  /** SHA-256 of what the URL leads to; a status from 400 on; undefined: nobody answers. */
  readonly download: (url: string) => Promise<string | number | undefined>;
  /** PEM of somebody's key, from the key service. */
  readonly getKey: (id: string) => Promise<string | undefined>;
}

/** What the program around pySRUP is told, in order. */
export type DeviceNews =
  | { readonly told: 'joined' | 'refused' | 'failed' }
  | { readonly told: 'action'; readonly actionId: number }
  | { readonly told: 'data'; readonly dataId: string; readonly data: Buffer }
  | { readonly told: 'fetched'; readonly url: string; readonly status: number }
  | { readonly told: 'update'; readonly token: string }
  | { readonly told: 'code'; readonly nonce: string }
  | { readonly told: 'observe'; readonly device: string; readonly nonce: string };

export interface ReferenceDevice extends Party {
  readonly id: string;
  readonly news: DeviceNews[];
  /** Whom it obeys; undefined: nobody any more. */
  server(): string | undefined;
  join(): void;
  humanJoin(): Promise<void>;
  observedJoin(observer: string): Promise<void>;
  /** What it saw of the device that it was to observe. */
  observed(status: number): void;
  /** Texts as UTF-8, floats as double, integers as int32. */
  sendData(dataId: string, data: Buffer): void;
  resign(): void;
  deregister(): void;
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** What pySRUP says of itself, its formatting mistake included. */
export const IDENTIFICATION =
  'pySRUP version <function SRUP.__init__.<locals>.<lambda> at 0x7ff6bac78360>.<function SRUP.__init__.<locals>.<lambda> at 0x7ff6bac78400>';

const UPDATE_SUCCESS = 0x00;
const FAIL = { server: 0xfd, file: 0xfe, digest: 0xff };
const JOIN_ANSWERS = new Map([
  [0x50, 'joined'],
  [0x5e, 'refused'],
  [0x5f, 'failed'],
] as const);

export async function startReferenceDevice(
  self: Registered,
  { openLink, download, getKey }: DeviceTools,
  identification = IDENTIFICATION,
): Promise<ReferenceDevice> {
  const { id, keys } = self;
  const topic = `SRUP/${id}`;
  const news: DeviceNews[] = [];
  const line: { link?: Link } = {};
  const party = makeParty(self, (where, bytes) => line.link?.publish(where, bytes));
  let server: string | undefined = self.server;
  party.keystore.set(self.server, self.serverPem);
  /** The last update that it fetched, by server; never forgotten. */
  const fetched = new Map<string, string>();
  let observerToken = '';

  function toServer(type: string, body?: Body, token?: string): void {
    party.say(type, server!, topic, body, token);
  }

  async function take(where: string, note: ReceivedNote): Promise<void> {
    if (where !== topic) return;
    const isCommandToJoin = note.type === 'JOIN_CMD';
    const sender = await party.believe(note, isCommandToJoin ? getKey : undefined);
    if (sender === undefined) return;
    if (isCommandToJoin)
      server = sender; // whoever it is, and whomever it is for
    else if (sender === server) await obey(sender, note);
  }

  async function obey(sender: string, { type, token, body }: ReceivedNote): Promise<void> {
    switch (type) {
      case 'RESPONSE': {
        const told = JOIN_ANSWERS.get(body['status'] as 0x50);
        if (told !== undefined) news.push({ told });
        return;
      }
      case 'ID_REQUEST':
        toServer('DATA', {
          dataId: Buffer.from('IDENTIFICATION_RESPONSE'),
          data: Buffer.from(identification),
        });
        return;
      case 'ACTION':
        news.push({ told: 'action', actionId: body['actionId'] as number });
        return;
      case 'DATA':
        news.push({ told: 'data', dataId: String(body['dataId']), data: body['data'] as Buffer });
        return;
      case 'INITIATE': {
        const status = await fetchUpdate(body['url'] as string, body['digest'] as string);
        news.push({ told: 'fetched', url: body['url'] as string, status });
        toServer('RESPONSE', { status }, token);
        if (status === UPDATE_SUCCESS) fetched.set(sender, token);
        return;
      }
      case 'ACTIVATE':
        if (fetched.get(sender) === token) news.push({ told: 'update', token });
        return;
      case 'HM_JOIN_RESP':
      case 'OBS_JOIN_RESP':
        news.push({ told: 'code', nonce: open(body['encrypted'] as Buffer, keys.privateKeyPem) });
        return;
      case 'OBSERVE_REQ':
        observerToken = token;
        news.push({
          told: 'observe',
          device: (body['joiningDeviceId'] as bigint).toString(16),
          nonce: open(body['encrypted'] as Buffer, keys.privateKeyPem),
        });
        return;
      case 'DEREGISTER_CMD':
        party.keystore.delete(sender);
        server = undefined;
        return;
      case 'TERMINATE_CMD':
        server = undefined;
    }
  }

  async function fetchUpdate(url: string, digest: string): Promise<number> {
    const found = await download(url);
    if (found === undefined) return FAIL.server;
    if (typeof found === 'number') return FAIL.file;
    return found === digest ? UPDATE_SUCCESS : FAIL.digest;
  }

  /** It asks for the server's key each time: it looks for it under another form of the id. */
  async function fetchServerKey(): Promise<void> {
    const key = await getKey(server!);
    if (key !== undefined) party.keystore.set(server!, key);
  }

  const ordered = inOrder(id, take);
  const link = await openLink(`SRUP Client: ${id}`, topic);
  link.onMessage = ordered.onMessage;
  line.link = link;
  const joinTopic = (): string => `SRUP/servers/${server}/${id}`;

  return {
    ...party,
    ...{ id, news },
    server: () => server,
    join: () => party.say('JOIN_REQ', server!, joinTopic()),
    humanJoin: async () => {
      await fetchServerKey();
      party.say('HM_JOIN_REQ', server!, joinTopic());
    },
    observedJoin: async (observer) => {
      await fetchServerKey();
      party.say('OBS_JOIN_REQ', server!, joinTopic(), { observerId: BigInt(`0x${observer}`) });
    },
    observed: (status) => {
      toServer('RESPONSE', { status }, observerToken);
    },
    sendData: (dataId, data) => {
      toServer('DATA', { dataId: Buffer.from(dataId), data });
    },
    resign: () => {
      toServer('RESIGN_REQUEST');
      server = undefined;
    },
    deregister: () => {
      toServer('DEREGISTER_REQ');
      party.keystore.delete(server!);
      server = undefined;
    },
    idle: ordered.idle,
    close: () => link.close(),
  };
}
