import type { Catalogue } from '../store/catalogue.ts';
import type { KeyServiceTables } from './tables.ts';

/** The tables of the key service. */
export const KEY_CATALOGUE: Catalogue<KeyServiceTables> = {
  identities: {
    columns: {
      id: 'text',
      type: 'text',
      suite: 'text',
      public_pem: 'text',
      seal_pem: 'text',
      state: 'text',
      registered_at: 'integer',
      expires_at: 'integer',
    },
  },
  certificates: {
    columns: {
      serial: 'text',
      identity: 'text',
      issued_at: 'integer',
      not_after: 'integer',
      revoked_at: 'integer',
    },
  },
  enrolment_codes: {
    columns: {
      id: 'text',
      hash: 'text',
      type: 'text',
      uses_left: 'integer',
      expires_at: 'integer',
      created_at: 'integer',
    },
  },
  foreign_revocations: { columns: { serial: 'text', revoked_at: 'integer', not_after: 'integer' } },
  audit_events: { isCounted: true, columns: { id: 'integer', at: 'integer', event: 'text' } },
  settings: { columns: { name: 'text', value: 'text' } },
};
