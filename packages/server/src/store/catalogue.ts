/** The tables as data, for whoever works with all of them. */
import type { Columns } from './ways.ts';
import type { CoreTables } from './schema/tables.ts';

export interface TableForm<Row> {
  /** Every column of the table; the first is its primary key. */
  readonly columns: Columns<Row>;
  /** True: the database gives the keys, and never gives one again. */
  readonly isCounted?: true;
}

/** All tables of a database. One that another table refers to comes before that one. */
export type Catalogue<Tables> = { readonly [Name in keyof Tables]: TableForm<Tables[Name]> };

/**
 * The columns of rows that get their key from the database.
 *
 * @example
 * prepareRows(columnsWithout('id', CORE_CATALOGUE.data), (write, given) => ...);
 */
export function columnsWithout<Row, Key extends keyof Row & string>(
  key: Key,
  { columns }: TableForm<Row>,
): Omit<Columns<Row>, Key> {
  const { [key]: _, ...rest } = columns;
  return rest;
}

const FLEET = {
  devices: {
    columns: {
      id: 'text',
      name: 'text',
      type: 'text',
      suite: 'text',
      public_pem: 'text',
      seal_pem: 'text',
      standing: 'text',
      confirms: 'integer',
      identification: 'text',
      running_digest: 'text',
      running_at: 'integer',
      running_token: 'text',
      running_ordered_at: 'integer',
      staged_digest: 'text',
      staged_at: 'integer',
      staged_token: 'text',
      first_seen_at: 'integer',
    },
  },
  peers: {
    columns: { device: 'text', sent: 'text', highest: 'text', seen: 'text', proven_at: 'integer' },
  },
  exchanges: {
    isCounted: true,
    columns: {
      id: 'integer',
      device: 'text',
      token: 'text',
      kind: 'text',
      phase: 'text',
      is_open: 'integer',
      state: 'text',
      wake_at: 'integer',
      opened_at: 'integer',
      updated_at: 'integer',
      order_id: 'text',
    },
  },
  outbox: {
    isCounted: true,
    columns: {
      id: 'integer',
      device: 'text',
      sequence: 'text',
      message: 'blob',
      is_signed: 'integer',
      created_at: 'integer',
    },
  },
  errands: {
    isCounted: true,
    columns: {
      id: 'integer',
      owner: 'text',
      kind: 'text',
      body: 'text',
      after: 'integer',
      created_at: 'integer',
    },
  },
  software: {
    isCounted: true,
    columns: {
      id: 'integer',
      device: 'text',
      digest: 'text',
      token: 'text',
      at: 'integer',
      is_undone: 'integer',
    },
  },
  join_policies: { columns: { type: 'text', verdict: 'text' } },
  join_decisions: {
    isCounted: true,
    columns: {
      id: 'integer',
      device: 'text',
      token: 'text',
      at: 'integer',
      verdict: 'text',
      decided_by: 'text',
    },
  },
} as const satisfies Partial<Catalogue<CoreTables>>;

const EVIDENCE = {
  messages: {
    isCounted: true,
    columns: {
      id: 'integer',
      at: 'integer',
      device: 'text',
      direction: 'text',
      type: 'text',
      sequence: 'text',
      token: 'text',
      bytes: 'blob',
      is_chained: 'integer',
    },
  },
  refusals: {
    isCounted: true,
    columns: {
      id: 'integer',
      at: 'integer',
      code: 'text',
      claimed_sender: 'text',
      topic: 'text',
      type: 'text',
    },
  },
  refusal_counts: { columns: { code: 'text', count: 'integer' } },
  data: {
    isCounted: true,
    columns: { id: 'integer', at: 'integer', device: 'text', data_id: 'text', bytes: 'blob' },
  },
  audit: {
    columns: {
      seq: 'integer',
      at: 'integer',
      kind: 'text',
      device: 'text',
      evidence: 'text',
      body: 'text',
      hash: 'text',
    },
  },
  audit_checkpoints: { columns: { seq: 'integer', at: 'integer', text: 'text', signature: 'text' } },
  audit_witnesses: {
    columns: { place: 'text', seq: 'integer', taken_at: 'integer', trouble: 'text', in_use: 'integer' },
  },
} as const satisfies Partial<Catalogue<CoreTables>>;

/** The tables of the C2 core. */
export const CORE_CATALOGUE: Catalogue<CoreTables> = {
  ...FLEET,
  ...EVIDENCE,
  events: { isCounted: true, columns: { seq: 'integer', at: 'integer', event: 'text' } },
  settings: { columns: { name: 'text', value: 'text' } },
  artifacts: {
    columns: { digest: 'text', bytes: 'integer', name: 'text', version: 'text', uploaded_at: 'integer' },
  },
  api_tokens: {
    columns: {
      id: 'text',
      hash: 'text',
      name: 'text',
      role: 'text',
      created_at: 'integer',
      used_at: 'integer',
      expires_at: 'integer',
    },
  },
};
