import { FleetError } from '../../api/faults.ts';
import type { KeyService } from '../../keyservice/service.ts';
import { callerOf } from '../auth.ts';
import type { Handlers } from '../serve.ts';

export function enrolmentRoutes(
  keys: KeyService,
): Handlers<
  | 'getRegistration'
  | 'setRegistration'
  | 'listEnrolmentCodes'
  | 'createEnrolmentCode'
  | 'withdrawEnrolmentCode'
> {
  return {
    getRegistration: async () => ({ open: (await keys.status()).active }),
    setRegistration: async ({ body, request }) => {
      await keys.setOpen(body.open, callerOf(request));
      return body;
    },
    listEnrolmentCodes: () => keys.codes.list(),
    createEnrolmentCode: ({ body: { type, uses, expiresAt }, request }) =>
      keys.codes.create({
        uses,
        by: callerOf(request),
        ...(type !== undefined && { type }),
        ...(expiresAt !== undefined && { expiresAt }),
      }),
    withdrawEnrolmentCode: async ({ params: { id }, request }) => {
      if (!(await keys.codes.remove(id, callerOf(request))))
        throw new FleetError('not-found', 'no such code');
      return null;
    },
  };
}
