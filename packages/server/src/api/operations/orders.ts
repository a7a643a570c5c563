import { byExchange, exchangeQuery, exchangeView } from '../forms/exchanges.ts';
import { byType, joinDecision, joinPolicy, joinRule } from '../forms/joins.ts';
import { nothing } from '../forms/basics.ts';
import { orderBody, receipts } from '../forms/orders.ts';
import { pageOf } from '../forms/pages.ts';
import type { Operation } from './operation.ts';

export const orderOperations = {
  orderDevices: {
    method: 'POST',
    path: '/commands',
    permission: 'orders.give',
    tag: 'commands',
    summary: 'Command one, some or all joined devices; each gets its own signed message and token (P 10.9)',
    description:
      'The messages are signed and stored before the answer; a receipt says "accepted here", not "done".',
    body: orderBody,
    status: 202,
    answer: receipts,
  },
  listExchanges: {
    method: 'GET',
    path: '/exchanges',
    permission: 'exchanges.read',
    tag: 'exchanges',
    summary: 'Updates, actions, joins...: what was asked and what is proven',
    query: exchangeQuery,
    answer: pageOf(exchangeView),
  },
  getExchange: {
    method: 'GET',
    path: '/devices/:id/exchanges/:token',
    permission: 'exchanges.read',
    tag: 'exchanges',
    summary: 'One exchange',
    params: byExchange,
    answer: exchangeView,
  },
  activateUpdate: {
    method: 'POST',
    path: '/devices/:id/exchanges/:token/activate',
    permission: 'updates.steer',
    tag: 'exchanges',
    summary: 'Activate a staged update, or ask again now when the device defers it',
    params: byExchange,
    answer: exchangeView,
  },
  cancelUpdate: {
    method: 'POST',
    path: '/devices/:id/exchanges/:token/cancel',
    permission: 'updates.steer',
    tag: 'exchanges',
    summary: 'Give up an update that is not activated',
    params: byExchange,
    answer: exchangeView,
  },
  decideJoin: {
    method: 'POST',
    path: '/devices/:id/exchanges/:token/decide',
    permission: 'joins.decide',
    tag: 'joins',
    summary: 'Accept, refuse or fail a pending join',
    params: byExchange,
    body: joinDecision,
    answer: exchangeView,
  },
  getJoinPolicy: {
    method: 'GET',
    path: '/join-policy',
    permission: 'joins.read',
    tag: 'joins',
    summary: 'What a simple join of each device type gets (P 9.1)',
    answer: joinPolicy,
  },
  setJoinRule: {
    method: 'PUT',
    path: '/join-policy/:type',
    permission: 'joins.configure',
    tag: 'joins',
    summary: 'Set the policy of a device type',
    params: byType,
    body: joinRule,
    status: 204,
    answer: nothing,
  },
  removeJoinRule: {
    method: 'DELETE',
    path: '/join-policy/:type',
    permission: 'joins.configure',
    tag: 'joins',
    summary: 'Let a device type fall back to the policy of *',
    params: byType,
    status: 204,
    answer: nothing,
  },
} as const satisfies Readonly<Record<string, Operation>>;
