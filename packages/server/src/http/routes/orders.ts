import type { Orders } from '../../orders/orders.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export function orderRoutes(orders: Orders): Handlers<'orderDevices'> {
  return { orderDevices: ({ body, request }) => orders.place(body, callerOf(request)) };
}
