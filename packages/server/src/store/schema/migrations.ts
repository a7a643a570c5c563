import type { Migrations } from './steps.ts';
import { artifactSteps } from './artifacts.ts';
import { auditSteps } from './audit.ts';
import { createDevices } from './devices.ts';
import { errandSteps } from './errands.ts';
import { createExchanges, exchangeSteps } from './exchanges.ts';
import { createJoinDesk } from './joins.ts';
import { createEvidence, messageSteps } from './messages.ts';
import { createOutbox, outboxSteps } from './outbox.ts';
import { createEvents, createSettings } from './settings.ts';
import { softwareSteps } from './software.ts';
import { tokenSteps } from './tokens.ts';

/**
 * The steps that make the tables of `CoreTables`. A released step is never edited and keeps its name: a change of the
 * schema is a new step. Steps run in the order of their names, so a step that changes a table comes after the one that
 * makes it: begin its name with `fleet-`.
 */
export const coreMigrations: Migrations = {
  'fleet-001': {
    async up(db) {
      await createDevices(db);
      await createExchanges(db);
      await createOutbox(db);
      await createEvidence(db);
      await createEvents(db);
      await createJoinDesk(db);
      await createSettings(db);
    },
  },
  ...auditSteps,
  ...messageSteps,
  ...softwareSteps,
  ...exchangeSteps,
  ...errandSteps,
  ...outboxSteps,
  ...artifactSteps,
  ...tokenSteps,
};
