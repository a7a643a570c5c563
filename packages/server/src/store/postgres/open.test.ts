import { describe } from 'vitest';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../../test/support/postgres-for.ts';
import { storeSuite } from '../../../test/store-suite.ts';
import { placeAt } from '../../../test/postgres.ts';
import { openPostgres } from './open.ts';

describe.skipIf(isMissing('postgres'))('PostgreSQL', () => {
  storeSuite('PostgreSQL', async () => {
    const later: (() => Promise<void>)[] = [];
    const url = await postgresFor((drop) => later.push(drop));
    return {
      open: (migrations, onFault) => openPostgres(placeAt(url), migrations, { onFault }),
      remove: async () => {
        for (const drop of later) await drop();
      },
    };
  });
});
