import { z } from 'zod';
import { ROLES } from '../vocabulary.ts';
import { instant, type View } from './basics.ts';

const name = z.string().trim().min(1).max(100);
const role = z.enum(ROLES);

export const tokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    createdAt: instant,
    usedAt: instant.optional(),
    expiresAt: instant.optional(),
  })
  .meta({ id: 'Token' });
/** An API token without its secret. */
export type TokenView = View<z.infer<typeof tokenView>>;

export const tokens = z.array(tokenView).readonly();

export const newToken = z.object({ name, role, expiresAt: z.number().int().positive().optional() });

export const setUp = z.object({ token: z.string().max(200), name: name.default('first operator') });

export const createdToken = z.object({
  secret: z.string().describe('shown this once'),
  token: tokenView,
});
/** The server keeps only a hash of `secret`. */
export type CreatedToken = View<z.infer<typeof createdToken>>;
