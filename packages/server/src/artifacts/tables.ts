import type { Migrations } from '../store/migrate.ts';

export interface ArtifactTables {
  artifacts: {
    digest: string;
    bytes: number;
    name: string;
    version: string | null;
    uploaded_at: number;
  };
}

export const artifactMigrations: Migrations = {
  'artifacts-001': {
    async up(db) {
      await db.schema
        .createTable('artifacts')
        .addColumn('digest', 'text', (column) => column.primaryKey())
        .addColumn('bytes', 'integer', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('version', 'text')
        .addColumn('uploaded_at', 'integer', (column) => column.notNull())
        .execute();
    },
  },
};
