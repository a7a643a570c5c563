import { testPerformers } from '../../test/contracts/performers.ts';
import { notePerformers } from '../../test/performers.ts';
import { surroundingsAt } from '../../test/surroundings.ts';
import { createPerformers } from './performers.ts';

/** One try, so that an address where nothing listens is an outcome at once. */
const AT_ONCE = { fetch: { attempts: 1 } };

testPerformers('the real ones', (folder) => createPerformers(surroundingsAt(folder, AT_ONCE)));
testPerformers('scripted by a test', (folder) => notePerformers().open(surroundingsAt(folder)));
