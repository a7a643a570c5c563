import { z } from 'zod';
import { byDevice, deviceChange, deviceQuery, deviceView, ranView, revocation } from '../forms/devices.ts';
import { dataView, deviceDataQuery, deviceMessageQuery, messageView } from '../forms/messages.ts';
import { pageOf } from '../forms/pages.ts';
import type { Operation } from './operation.ts';

const tag = 'devices';

export const deviceOperations = {
  listDevices: {
    method: 'GET',
    path: '/devices',
    permission: 'devices.read',
    tag,
    summary: 'Devices, with what is proven of each',
    query: deviceQuery,
    answer: pageOf(deviceView),
  },
  getDevice: {
    method: 'GET',
    path: '/devices/:id',
    permission: 'devices.read',
    tag,
    summary: 'One device',
    params: byDevice,
    answer: deviceView,
  },
  listSoftware: {
    method: 'GET',
    path: '/devices/:id/software',
    permission: 'devices.read',
    tag,
    summary: 'What a device has proven to run, newest first, each once',
    params: byDevice,
    answer: z.array(ranView).readonly(),
  },
  nameDevice: {
    method: 'PATCH',
    path: '/devices/:id',
    permission: 'devices.name',
    tag,
    summary: 'Name a device',
    params: byDevice,
    body: deviceChange,
    answer: deviceView,
  },
  revokeDevice: {
    method: 'POST',
    path: '/devices/:id/revoke',
    permission: 'devices.revoke',
    tag,
    summary: 'End an identity now, without asking or waiting for the device: lost or stolen (P 10.8)',
    description:
      'Certificate, session, queue and open exchanges end. Nothing is sent to the device. It can not be undone.',
    params: byDevice,
    answer: revocation,
  },
  listMessages: {
    method: 'GET',
    path: '/devices/:id/messages',
    permission: 'devices.read',
    tag,
    summary: 'Signed messages to and from a device: the evidence',
    params: byDevice,
    query: deviceMessageQuery,
    answer: pageOf(messageView),
  },
  listData: {
    method: 'GET',
    path: '/devices/:id/data',
    permission: 'devices.read',
    tag,
    summary: 'DATA that a device sent',
    params: byDevice,
    query: deviceDataQuery,
    answer: pageOf(dataView),
  },
} as const satisfies Readonly<Record<string, Operation>>;
