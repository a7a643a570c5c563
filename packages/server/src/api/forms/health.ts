import { z } from 'zod';

export const alive = z.object({ status: z.literal('ok') });

export const readiness = z.object({
  status: z.enum(['ready', 'not-ready']),
  reasons: z.array(z.string()).readonly().describe('what is wrong; empty when ready'),
});
