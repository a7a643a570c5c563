/**
 * `npm run attacks [-- ROW...]`: runs the attacks of test/attacks and prints which hold where. Exit code 1 when one
 * that has to does not, was not run, or has no control that shows the attack at work.
 */
import { startVitest, type TestCase } from 'vitest/node';
import { installMissingPrograms } from '../../scripts/system-programs.ts';
import { formatTable, isGood, outcomes, summarise, type Tested } from './outcome.ts';
import { ROWS } from './rows.ts';

const wanted = process.argv.slice(2).map(Number);
const rows = ROWS.filter(({ number }) => wanted.length === 0 || wanted.includes(number));
if (!wanted.every((number) => ROWS.some((row) => row.number === number))) {
  console.error(`A row is a number from 1 to ${ROWS.length}, e.g. "npm run attacks -- 14 22".`);
  process.exit(2);
}

installMissingPrograms();
const files = rows.map(({ number }) => `/${String(number).padStart(2, '0')}-`);
const filter = wanted.length === 0 ? ['test/attacks/'] : files;
const vitest = await startVitest(filter, { watch: false, project: ['system'], dir: 'test/attacks' });
const tests = vitest.state.getTestModules().flatMap((module): Tested[] => {
  const found = [...module.children.allTests()].map((test) => toTested(module.moduleId, test));
  // A file that failed outside its tests says nothing about them.
  return module.ok() ? found : [...found, { file: module.moduleId, names: ['the file'], state: 'failed' }];
});
const faults = vitest.state.getUnhandledErrors().length;
await vitest.close();

function toTested(file: string, test: TestCase): Tested {
  const names: string[] = [test.name];
  for (let at = test.parent; at.type === 'suite'; at = at.parent) names.unshift(at.name);
  const { state } = test.result();
  return { file, names, state: state === 'pending' ? 'failed' : state };
}

const all = outcomes(tests, rows);
const closing = `\n${formatTable(all)}\n\n${summarise(all)}\n`;
process.stdout.write(closing, () => process.exit(isGood(all) && faults === 0 ? 0 : 1));
