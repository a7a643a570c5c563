import { z } from 'zod';
import type { View } from './basics.ts';

export const codeView = z
  .object({
    id: z.string(),
    type: z.string().optional(),
    usesLeft: z.number(),
    expiresAt: z.number().optional(),
    createdAt: z.number(),
  })
  .meta({ id: 'EnrolmentCode' });
/**
 * A code that lets devices register (P 8.4), without its secret. `type`: the device type that it is for, absent for
 * any. `expiresAt`: milliseconds since 1970, absent when it does not expire.
 */
export type EnrolmentCode = View<z.infer<typeof codeView>>;

export const codes = z.array(codeView).readonly();

export const newCode = z.object({
  type: z.string().trim().min(1).max(100).optional(),
  uses: z.number().int().min(1).max(100_000).default(1),
  expiresAt: z.number().int().positive().optional(),
});

export const createdCode = z.object({ secret: z.string(), code: codeView });
/** The server keeps only a hash of `secret`. */
export type CreatedCode = View<z.infer<typeof createdCode>>;

export const registration = z.object({ open: z.boolean() });
