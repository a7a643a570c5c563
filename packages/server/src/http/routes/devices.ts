import { FleetError } from '../../api/faults.ts';
import type { deviceOperations } from '../../api/operations/devices.ts';
import type { Fleet } from '../../fleet-port.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export function deviceRoutes(fleet: Fleet): Handlers<keyof typeof deviceOperations> {
  return {
    listDevices: ({ query }) => fleet.devices(query),
    getDevice: async ({ params: { id } }) => {
      const device = await fleet.device(id);
      if (device === undefined) throw new FleetError('not-found', `no device ${id} is known`);
      return device;
    },
    listSoftware: ({ params: { id } }) => fleet.software(id),
    nameDevice: ({ params: { id }, body: { name }, request }) => fleet.rename(id, name, callerOf(request)),
    revokeDevice: ({ params: { id }, request }) => fleet.revoke(id, callerOf(request)),
    listMessages: ({ params: { id }, query }) => fleet.messages({ ...query, device: id }),
    listData: ({ params: { id }, query }) => fleet.data({ ...query, device: id }),
  };
}
