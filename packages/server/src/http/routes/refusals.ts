import type { Fleet } from '../../fleet-port.ts';
import type { Handlers } from '../serve.ts';

export function refusalRoutes(fleet: Fleet): Handlers<'listRefusals' | 'countRefusals'> {
  return {
    listRefusals: ({ query }) => fleet.refusals(query),
    countRefusals: () => fleet.refusalCounts(),
  };
}
