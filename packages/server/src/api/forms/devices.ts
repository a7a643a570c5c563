import { z } from 'zod';
import { STANDINGS, SUITE_NAMES } from '../vocabulary.ts';
import { deviceId, digest, instant, tokenText, type View } from './basics.ts';
import { pageQuery } from './pages.ts';

/** Characters of the longest name that a caller gives to a device. */
export const LONGEST_NAME = 100;

const standing = z.enum(STANDINGS);
const proven = z.object({ digest, provenAt: instant, token: tokenText });

export const byDevice = z.object({ id: deviceId });

export const deviceView = z
  .object({
    id: deviceId,
    name: z.string().optional(),
    type: z.string(),
    suite: z.enum(SUITE_NAMES),
    standing,
    identification: z.string().optional().describe('what the device says of itself (P 10.7)'),
    confirms: z.boolean().describe('known to confirm ACTION, ACTIVATE, RESIGN, DEREGISTER (P 10.7)'),
    running: proven.optional().describe('proven to run, by a signed receipt of this device'),
    staged: proven.optional().describe('proven to be fetched and verified'),
    lastProvenAt: instant.optional().describe('when the last message was proven to come from the device'),
    firstSeenAt: instant,
  })
  .meta({ id: 'Device' });
/** A device as its own signed messages show it. Times are milliseconds since 1970. */
export type DeviceView = View<z.infer<typeof deviceView>>;

export const deviceQuery = pageQuery.extend({
  search: z.string().max(100).optional().describe('part of id, name, type or running digest'),
  type: z.string().max(100).optional(),
  standing: standing.optional(),
});
export type DeviceQuery = Readonly<z.infer<typeof deviceQuery>>;

export const deviceChange = z.object({ name: z.string().trim().min(1).max(LONGEST_NAME) });

export const ranView = z
  .object({
    digest,
    provenAt: instant,
    token: tokenText,
    isWayBack: z.boolean().describe('false: it failed later, or a rollback left it behind'),
  })
  .meta({ id: 'Software' });
/** Software that a device proved to run, by its receipt or its identification. */
export type RanView = View<z.infer<typeof ranView>>;

export const revocation = z
  .object({
    id: deviceId,
    ended: z.boolean().describe('false: the rest is tried again until it is done'),
    problem: z.string().optional().describe('what could not be ended yet, and why'),
  })
  .meta({ id: 'Revocation' });
/** How far the end of an identity has come. */
export type Revocation = View<z.infer<typeof revocation>>;
