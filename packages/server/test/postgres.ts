import { Secret } from '@srup/node';
import type { PostgresStorePlace } from '../src/store/postgres/place.ts';
import { parsePostgresUrl } from '../src/store/postgres/place.ts';

/** The schemas of a server, as `databases.ts` names them. */
export const SCHEMAS = { core: 'srup', keys: 'srup_keys' } as const;

/** The URL of a test's database holds a password, which that of the product must not. */
export function splitPassword(text: string): { readonly url: string; readonly password: Secret } {
  const url = new URL(text);
  const password = new Secret(decodeURIComponent(url.password));
  url.password = '';
  return { url: url.href, password };
}

/** The place of a test's database. */
export function placeAt(text: string, schema: string = SCHEMAS.core): PostgresStorePlace {
  const { url, password } = splitPassword(text);
  return { ...parsePostgresUrl(url, { password }), schema };
}
