import type { Migration } from 'kysely/migration';

/** Forward-only steps by name, applied in the order of their names. Each trust role of the server has its own. */
export type Migrations = Readonly<Record<string, Migration>>;
