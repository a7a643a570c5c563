import { z } from 'zod';

/** Body of every answer that is not a success. */
export const errorBody = z
  .object({
    error: z.string().describe('stable code'),
    message: z.string().describe('what happened, why, and what to do'),
  })
  .meta({ id: 'Error' });
