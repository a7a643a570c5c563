import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Fleet } from '../../contract.ts';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';
import {
  dataView,
  deviceId,
  deviceView,
  messageView,
  pageOf,
  pageQuery,
  ranView,
  revocation,
  standing,
} from '../../api/forms.ts';

const byId = z.object({ id: deviceId });

export function deviceRoutes(fleet: Fleet): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/devices',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['devices'],
          summary: 'Devices, with what is proven of each',
          querystring: pageQuery.extend({
            search: z.string().max(100).optional().describe('part of id, name, type or running digest'),
            type: z.string().max(100).optional(),
            standing: standing.optional(),
          }),
          response: { 200: pageOf(deviceView) },
        },
      },
      (request) => fleet.devices(request.query),
    );

    app.get(
      '/devices/:id',
      {
        config: { role: 'viewer' },
        schema: { tags: ['devices'], summary: 'One device', params: byId, response: { 200: deviceView } },
      },
      async (request) => {
        const device = await fleet.device(request.params.id);
        if (device === undefined)
          throw new RequestError(404, 'not-found', `no device ${request.params.id} is known`);
        return device;
      },
    );

    app.get(
      '/devices/:id/software',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['devices'],
          summary: 'What a device has proven to run, newest first, each once',
          params: byId,
          response: { 200: z.array(ranView).readonly() },
        },
      },
      (request) => fleet.software(request.params.id),
    );

    app.patch(
      '/devices/:id',
      {
        config: { role: 'operator' },
        schema: {
          tags: ['devices'],
          summary: 'Name a device',
          params: byId,
          body: z.object({ name: z.string().trim().min(1).max(100) }),
          response: { 200: deviceView },
        },
      },
      (request) => fleet.rename(request.params.id, request.body.name, callerOf(request)),
    );

    app.post(
      '/devices/:id/revoke',
      {
        config: { role: 'operator' },
        schema: {
          tags: ['devices'],
          summary: 'End an identity now, without asking or waiting for the device: lost or stolen (P 10.8)',
          description:
            'Certificate, session, queue and open exchanges end. Nothing is sent to the device. It can not be undone.',
          params: byId,
          response: { 200: revocation },
        },
      },
      (request) => fleet.revoke(request.params.id, callerOf(request)),
    );

    app.get(
      '/devices/:id/messages',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['devices'],
          summary: 'Signed messages to and from a device: the evidence',
          params: byId,
          querystring: pageQuery.extend({ token: z.string().max(512).optional() }),
          response: { 200: pageOf(messageView) },
        },
      },
      (request) => fleet.messages({ ...request.query, device: request.params.id }),
    );

    app.get(
      '/devices/:id/data',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['devices'],
          summary: 'DATA that a device sent',
          params: byId,
          querystring: pageQuery.extend({ dataId: z.string().max(255).optional() }),
          response: { 200: pageOf(dataView) },
        },
      },
      (request) => fleet.data({ ...request.query, device: request.params.id }),
    );
  };
}
