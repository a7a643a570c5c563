import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCa, type TestCa } from '../../../node/test/certificates.ts';
import { judgeCertificate } from './certificates.ts';
import { judgeShown } from './rules.ts';

const DAY = 86_400_000;

let ca: TestCa;
let folder: string;

beforeEach(async () => {
  ca = await makeCa();
  folder = await mkdtemp(join(tmpdir(), 'srup-certificates-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** The dates of a certificate that is this many days old and has this many left. */
async function verdictOn(old: number, left: number): Promise<string> {
  const file = join(folder, 'one.pem');
  const made = await ca.issue({ commonName: 'one', notBefore: -old * DAY, notAfter: left * DAY });
  await writeFile(file, made.certPem);
  const wanted = { file, ca: ca.pem, renewedMs: 30 * DAY, todo: 'Do it.' };
  return (await judgeCertificate(wanted, Date.now())).verdict;
}

test('one is late when the server should have renewed it, however long it lives', async () => {
  expect(await verdictOn(330, 35)).toBe('ok');
  expect(await verdictOn(338, 27)).toBe('warning');
  expect(await verdictOn(1, 19)).toBe('ok'); // of 20 days
  expect(await verdictOn(16, 4)).toBe('warning');
  expect(await verdictOn(0.3, 0.7)).toBe('ok'); // of one
  expect(await verdictOn(0.8, 0.2)).toBe('warning');
  expect(await verdictOn(2, -1)).toBe('failed');
});

test('what a broker shows is late when it has not read what was renewed', () => {
  const shown = (old: number, left: number) => {
    const [from, to] = [Date.now() - old * DAY, Date.now() + left * DAY];
    return judgeShown({ validFromDate: new Date(from), validToDate: new Date(to) }, Date.now()).verdict;
  };
  expect(shown(340, 25)).toBe('ok');
  expect(shown(350, 15)).toBe('warning');
  expect(shown(13, 7)).toBe('ok');
  expect(shown(16, 4)).toBe('warning');
});
