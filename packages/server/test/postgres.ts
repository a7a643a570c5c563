import { Secret } from '@srup/node';
import type { PostgresStorePlace } from '../src/store/postgres/place.ts';
import { parsePostgresUrl } from '../src/store/postgres/place.ts';

/** The schemas of a server, as `databases.ts` names them. */
export const SCHEMAS = { core: 'srup', keys: 'srup_keys' } as const;

/** The place of a test's database: its URL holds a password, which the product's own must not. */
export function placeAt(text: string, schema: string = SCHEMAS.core): PostgresStorePlace {
  const url = new URL(text);
  const password = new Secret(decodeURIComponent(url.password));
  url.password = '';
  return { ...parsePostgresUrl(url.href, { password }), schema };
}
