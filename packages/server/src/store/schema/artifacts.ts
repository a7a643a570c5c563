import type { Selectable } from 'kysely';
import type { Migrations } from './steps.ts';
import { key, needed } from './columns.ts';

/** Files that devices can fetch. The content of each lies in a file that its digest names. */
export interface ArtifactsTable {
  digest: string;
  bytes: number;
  name: string;
  version: string | null;
  uploaded_at: number;
}

export type ArtifactRow = Selectable<ArtifactsTable>;

export const artifactSteps: Migrations = {
  'artifacts-001': {
    async up({ schema }) {
      await schema
        .createTable('artifacts')
        .addColumn('digest', 'text', key)
        .addColumn('bytes', 'integer', needed)
        .addColumn('name', 'text', needed)
        .addColumn('version', 'text')
        .addColumn('uploaded_at', 'integer', needed)
        .execute();
    },
  },
};
