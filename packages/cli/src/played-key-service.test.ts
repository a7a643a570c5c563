import { deskSuite } from '../../server/test/keyservice/desk-suite.ts';
import { playKeyService } from '../test/played-fleet.ts';

deskSuite('the tests of the CLI', async () => ({ desk: playKeyService(), close: async () => undefined }));
