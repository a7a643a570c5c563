// `npm test`: installs the system programs that suites need, runs every test, and ends with one line of counts.
import { parseCLI, startVitest, type TestModule } from 'vitest/node';
import { debianPackages, installMissingPrograms, missingPrograms } from './system-programs.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const inCi = process.env['CI'] === 'true';

/** Counts the tests of a module. One that failed before or outside its tests counts as one failure. */
function countModule(module: TestModule, counts: Counts): void {
  const failedBefore = counts.failed;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    // "pending" after the run means that the test never finished.
    counts[state === 'pending' ? 'failed' : state] += 1;
  }
  if (!module.ok() && counts.failed === failedBefore) counts.failed += 1;
}

function explainSkips(skipped: number): void {
  const missing = missingPrograms();
  if (missing.length > 0) {
    console.log(
      `\nNot installed: ${missing.join(', ')}. On Debian: apt-get install ${debianPackages(missing).join(' ')}`,
    );
  }
  if (inCi && skipped > 0) console.log('A skipped test is a failure when CI=true.');
}

installMissingPrograms();
const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)]);
const vitest = await startVitest(filter, { ...options, watch: false });
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const module of vitest.state.getTestModules()) countModule(module, counts);
counts.failed += vitest.state.getUnhandledErrors().length;
await vitest.close();

explainSkips(counts.skipped);
const total = counts.passed + counts.failed + counts.skipped;
// Vitest has set exitCode for failures outside tests, such as coverage below its threshold.
const ok = process.exitCode !== 1 && total > 0 && counts.failed === 0 && !(inCi && counts.skipped > 0);
const closing = `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}\n`;
process.stdout.write(closing, () => process.exit(ok ? 0 : 1));
