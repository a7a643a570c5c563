import type { Selectable } from 'kysely';
import type { Migrations } from './steps.ts';
import { key, needed } from './columns.ts';

/** Tokens for the HTTP API. */
export interface ApiTokensTable {
  id: string;
  /** SHA-256 of the secret, in hex: the secret itself is not stored. */
  hash: string;
  name: string;
  role: string;
  created_at: number;
  used_at: number | null;
  expires_at: number | null;
}

export type ApiTokenRow = Selectable<ApiTokensTable>;

export const tokenSteps: Migrations = {
  'tokens-001': {
    async up({ schema }) {
      await schema
        .createTable('api_tokens')
        .addColumn('id', 'text', key)
        .addColumn('hash', 'text', (column) => column.notNull().unique())
        .addColumn('name', 'text', needed)
        .addColumn('role', 'text', needed)
        .addColumn('created_at', 'integer', needed)
        .addColumn('used_at', 'integer')
        .addColumn('expires_at', 'integer')
        .execute();
    },
  },
};
