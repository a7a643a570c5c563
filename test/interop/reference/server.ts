/** A C2 server of pySRUP, with the callbacks of the recorded run. It never answers but a join. */
import { randomUUID } from 'node:crypto';
import { inOrder, makeParty, type Link, type OpenLink, type Party, type Self } from './party.ts';
import { seal } from './seal.ts';
import type { Body, ReceivedNote } from './wire.ts';

export interface ServerTools {
  readonly openLink: OpenLink;
  readonly getKey: (id: string) => Promise<string | undefined>;
  readonly getType: (id: string) => Promise<string | undefined>;
  /** Registers its own key, where the key service does not have it. */
  readonly register: () => Promise<void>;
  /** Decides on a JOIN_REQ instead of letting everybody in. */
  readonly onJoinRequest?: (server: ReferenceServer, device: string) => void;
  readonly newNonce?: () => string;
}

export type ServerNews =
  | { readonly told: 'join'; readonly kind: string; readonly device: string; readonly observer?: string }
  | { readonly told: 'data'; readonly device: string; readonly dataId: string; readonly data: Buffer }
  | {
      readonly told: 'response';
      readonly device: string;
      readonly status: number;
      readonly token: string;
    }
  | { readonly told: 'resigned' | 'deregistered'; readonly device: string };

export interface ReferenceServer extends Party {
  readonly id: string;
  readonly news: ServerNews[];
  readonly controlled: Set<string>;
  accept(device: string, idRequest?: boolean): void;
  refuse(device: string): void;
  /** The nonce that the device will show. */
  humanJoinResponse(device: string): string;
  observedJoinResponse(device: string): string;
  observe(observer: string, device: string, nonce: string): void;
  idRequest(device: string): void;
  action(device: string, actionId: number): string;
  data(device: string, dataId: string, data: Buffer): void;
  /** ACTIVATE follows by itself on the device's "fetched". */
  initiate(device: string, url: string, digest: string): string;
  activate(device: string, token: string): void;
  deregister(device: string): void;
  joinCommand(device: string): Promise<void>;
  idle(): Promise<void>;
  close(): Promise<void>;
}

const UPDATE_SUCCESS = 0x00;
const OBSERVED_VALID = 0x60;
const JOIN_SUCCESS = 0x50;
const JOIN_REFUSED = 0x5e;
const JOINS = new Set(['JOIN_REQ', 'HM_JOIN_REQ', 'OBS_JOIN_REQ']);

export async function startReferenceServer(self: Self, tools: ServerTools): Promise<ReferenceServer> {
  const { id } = self;
  const { getKey, getType, newNonce = () => randomUUID().replaceAll('-', '') } = tools;
  const news: ServerNews[] = [];
  const controlled = new Set<string>();
  const types = new Map<string, string>();
  const pending = new Map<string, string>();
  /** Who joins, by its observer. */
  const observing = new Map<string, string>();
  const line: { link?: Link } = {};
  const party = makeParty(self, (topic, bytes) => line.link?.publish(topic, bytes));

  function tell(device: string, type: string, body?: Body, token?: string): string {
    return party.say(type, device, `SRUP/${device}`, body, token);
  }

  async function take(topic: string, note: ReceivedNote): Promise<void> {
    const isJoin = JOINS.has(note.type);
    const isForUs = new RegExp(`^SRUP/servers/${id}/\\w+$`).test(topic);
    if (isJoin && !isForUs) return;
    const sender = await party.believe(note, isJoin ? getKey : undefined);
    if (sender === undefined) return;
    if (isJoin) await takeJoin(sender, note);
    else takeOther(sender, note);
  }

  async function takeJoin(device: string, { type: kind, token, body }: ReceivedNote): Promise<void> {
    if (!types.has(device)) types.set(device, (await getType(device)) ?? '');
    pending.set(device, token);
    const observer = (body['observerId'] as bigint | undefined)?.toString(16);
    news.push({ told: 'join', kind, device, ...(observer !== undefined && { observer }) });
    if (kind === 'JOIN_REQ') {
      if (tools.onJoinRequest === undefined) server.accept(device);
      else tools.onJoinRequest(server, device);
    }
  }

  function takeOther(device: string, { type, token, body }: ReceivedNote): void {
    switch (type) {
      case 'DATA':
        news.push({ told: 'data', device, dataId: String(body['dataId']), data: body['data'] as Buffer });
        return;
      case 'RESPONSE': {
        const status = body['status'] as number;
        news.push({ told: 'response', device, status, token });
        if (status === UPDATE_SUCCESS) server.activate(device, token);
        if (status === OBSERVED_VALID) server.accept(observing.get(device)!);
        return; // whatever else it says: nothing
      }
      case 'RESIGN_REQUEST':
        leaves(device, 'resigned');
        line.link?.unsubscribe(`SRUP/${device}/#`);
        party.keystore.delete(device);
        return;
      case 'DEREGISTER_REQ':
        leaves(device, 'deregistered');
    }
  }

  /** Python's `list.remove` raises for what is not in the list, and pySRUP's network thread dies of it. */
  function leaves(device: string, told: 'resigned' | 'deregistered'): void {
    if (!controlled.delete(device)) throw new Error(`ValueError: ${device} left twice`);
    news.push({ told, device });
  }

  function answerJoin(device: string, status: number): void {
    tell(device, 'RESPONSE', { status }, pending.get(device));
    pending.delete(device);
  }

  function sendCode(device: string, type: string): string {
    const nonce = newNonce();
    pending.set(device, tell(device, type, { encrypted: seal(nonce, party.keystore.get(device)!) }));
    return nonce;
  }

  await tools.register();
  const ordered = inOrder(id, take);
  const link = await tools.openLink(`SRUP Client: ${id}`, `SRUP/servers/${id}/#`);
  link.onMessage = ordered.onMessage;
  line.link = link;

  const server: ReferenceServer = {
    ...party,
    ...{ id, news, controlled },
    accept: (device, idRequest = false) => {
      link.subscribe(`SRUP/${device}/#`);
      controlled.add(device);
      answerJoin(device, JOIN_SUCCESS);
      if (idRequest) server.idRequest(device);
    },
    refuse: (device) => {
      answerJoin(device, JOIN_REFUSED);
    },
    humanJoinResponse: (device) => sendCode(device, 'HM_JOIN_RESP'),
    observedJoinResponse: (device) => sendCode(device, 'OBS_JOIN_RESP'),
    observe: (observer, device, nonce) => {
      observing.set(observer, device);
      const encrypted = seal(nonce, party.keystore.get(observer)!);
      tell(observer, 'OBSERVE_REQ', { joiningDeviceId: BigInt(`0x${device}`), encrypted });
    },
    idRequest: (device) => tell(device, 'ID_REQUEST'),
    action: (device, actionId) => tell(device, 'ACTION', { actionId }),
    data: (device, dataId, data) => tell(device, 'DATA', { dataId: Buffer.from(dataId), data }),
    initiate: (device, url, digest) => tell(device, 'INITIATE', { url, digest }),
    activate: (device, token) => tell(device, 'ACTIVATE', {}, token),
    deregister: (device) => {
      controlled.delete(device);
      tell(device, 'DEREGISTER_CMD');
      party.keystore.delete(device);
    },
    joinCommand: async (device) => {
      tell(device, 'JOIN_CMD', { deviceId: BigInt(`0x${device}`) });
      controlled.add(device);
      link.subscribe(`SRUP/${device}`);
      const key = await getKey(device);
      if (key !== undefined) party.keystore.set(device, key);
    },
    idle: ordered.idle,
    close: () => link.close(),
  };
  return server;
}
