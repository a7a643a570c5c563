import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Fleet } from '../../contract.ts';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';
import { deviceId, exchangeView, joinVerdict, pageOf, pageQuery, tokenText } from '../../api/forms.ts';

const params = z.object({ id: deviceId, token: tokenText });
const tags = ['exchanges'];

export function exchangeRoutes(fleet: Fleet): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/exchanges',
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: 'Updates, actions, joins...: what was asked and what is proven',
          querystring: pageQuery.extend({
            device: deviceId.optional(),
            kind: z.enum(['update', 'action', 'data', 'identify', 'join', 'leave']).optional(),
            open: z.stringbool().optional().describe('only those that are not over, or only those that are'),
          }),
          response: { 200: pageOf(exchangeView) },
        },
      },
      (request) => fleet.exchanges(request.query),
    );

    app.get(
      '/devices/:id/exchanges/:token',
      {
        config: { role: 'viewer' },
        schema: { tags, summary: 'One exchange', params, response: { 200: exchangeView } },
      },
      async (request) => {
        const found = await fleet.exchange(request.params.id, request.params.token);
        if (found === undefined)
          throw new RequestError(404, 'not-found', 'no such exchange with this device');
        return found;
      },
    );

    app.post(
      '/devices/:id/exchanges/:token/activate',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Activate a staged update, or ask again now when the device put it off',
          params,
          response: { 200: exchangeView },
        },
      },
      (request) => fleet.activate(request.params.id, request.params.token, callerOf(request)),
    );

    app.post(
      '/devices/:id/exchanges/:token/cancel',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Give up an update that is not activated',
          params,
          response: { 200: exchangeView },
        },
      },
      (request) => fleet.cancel(request.params.id, request.params.token, callerOf(request)),
    );

    app.post(
      '/devices/:id/exchanges/:token/decide',
      {
        config: { role: 'operator' },
        schema: {
          tags: ['joins'],
          summary: 'Accept, refuse or fail a pending join',
          params,
          body: z.object({ verdict: joinVerdict.exclude(['ask']) }),
          response: { 200: exchangeView },
        },
      },
      (request) => {
        const { id, token } = request.params;
        return fleet.decideJoin(id, token, request.body.verdict, callerOf(request));
      },
    );
  };
}
