import { FleetError } from '../../api/faults.ts';
import type { Fleet } from '../../fleet-port.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export function exchangeRoutes(
  fleet: Fleet,
): Handlers<'listExchanges' | 'getExchange' | 'activateUpdate' | 'cancelUpdate' | 'decideJoin'> {
  return {
    listExchanges: ({ query }) => fleet.exchanges(query),
    getExchange: async ({ params: { id, token } }) => {
      const found = await fleet.exchange(id, token);
      if (found === undefined) throw new FleetError('not-found', 'no such exchange with this device');
      return found;
    },
    activateUpdate: ({ params: { id, token }, request }) => fleet.activate(id, token, callerOf(request)),
    cancelUpdate: ({ params: { id, token }, request }) => fleet.cancel(id, token, callerOf(request)),
    decideJoin: ({ params: { id, token }, body: { verdict }, request }) =>
      fleet.decideJoin(id, token, verdict, callerOf(request)),
  };
}
