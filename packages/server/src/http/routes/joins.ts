import type { Fleet } from '../../fleet-port.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export function joinPolicyRoutes(fleet: Fleet): Handlers<'getJoinPolicy' | 'setJoinRule' | 'removeJoinRule'> {
  return {
    getJoinPolicy: () => fleet.joinPolicy(),
    setJoinRule: async ({ params: { type }, body: { verdict }, request }) => {
      await fleet.setJoinPolicy(type, verdict, callerOf(request));
      return null;
    },
    removeJoinRule: async ({ params: { type }, request }) => {
      await fleet.setJoinPolicy(type, undefined, callerOf(request));
      return null;
    },
  };
}
