/** The forms that all others are made of. */
import { isDigest, type ServerExchange } from '@srup/protocol';
import { z } from 'zod';

export const instant = z.number().describe('milliseconds since 1970');

export const deviceId = z
  .string()
  .regex(/^[1-9a-f][0-9a-f]{0,15}$/, 'an identity is 1 to 16 lower-case hex digits without leading zeros')
  .describe('identity as lower-case hex text (P 2.7)');

export const digest = z
  .string()
  .refine(isDigest, 'a digest is 64 lower-case hex digits')
  // A refinement leaves no trace in OpenAPI by itself.
  .meta({ description: 'SHA-256 as lower-case hex text (P 2.6)', pattern: '^[0-9a-f]{64}$' });

export const tokenText = z.string().min(1).max(512).describe('token of the transaction (P 6)');

/** For an answer that says nothing more than that it was done. */
export const nothing = z.null();

/** What is named in a path by an id of the server's own making. */
export const byOwnId = z.object({ id: z.string().max(100) });

/**
 * What the server gives, as a type: read-only all through, and a member that is absent is not there at all instead of
 * undefined.
 */
export type View<Form> = [Form] extends [ServerExchange]
  ? Form // the protocol's own type, which is a view already
  : Form extends readonly (infer Row)[]
    ? readonly View<Row>[]
    : Form extends object
      ? { readonly [Name in keyof Form]: View<Exclude<Form[Name], undefined>> }
      : Form;
