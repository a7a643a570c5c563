/** The list of words finds what it is made for, and lets correct English pass. */
import { expect, test } from 'vitest';
import { findWords } from '../../scripts/check-words.ts';

const found = (text: string): string[] => findWords(text).map((finding) => finding.found);

test.each([
  ['the update is put off', 'put off'],
  ['The device put the activation off: it is on', 'put the activation off'],
  ['the server puts it off', 'puts it off'],
  ['await putOff(folder)', 'putOff'],
  ['throw new Postponed(why)', 'Postpon'],
  ['a device says "not now"', 'not now'],
  ['a time-out of the exchange', 'time-out'],
  ['a file store for updates', 'file store'],
  ['class TokenManager {', 'class TokenManager'],
  ['the port; 8443 unless told.', 'unless told'],
  ["'60 unless told'", 'unless told'],
  ['It listens on this machine only, unless told otherwise.', 'unless told'],
  ["nobody's business any more", "nobody's business"],
  ['A device is looked at when it has more', 'is looked at when'],
  ['it shall be done', 'shall'],
  ['/** Of a tar, unpacked. */', '/** Of a'],
  ['Of a device: its keys', 'Of a device:'],
  ['Of a device it is proven what it signs', 'Of a device it is'],
  ['One token a person, with an end.', ', with an end'],
  ['how it is told of new data', 'is told of'],
  ['// Who left is asked nothing more', '// Who left is'],
  ['It ends. Who is revoked gets nothing more.', '. Who is revoked gets'],
  ['`"${text}" is no length of time`', '" is no'],
  ['what is no message', 'what is no'],
  ['--listen x is no address', 'is no address'],
  ['again after so many milliseconds', 'after so many'],
  ['the folder wherein it lies', 'wherein'],
  ['many softwares', 'softwares'],
  ["over, by the server's word", "by the server's word"],
])('%s', (text, wrong) => {
  expect(found(text)).toEqual([wrong]);
});

test.each([
  'Put the cover on, then switch the power off.',
  'The device put the file away, and then it went off.',
  'A timeout ends the exchange; setTimeout calls it.',
  'Unless set with --port, the system chooses one.',
  'unless named by its digest',
  'Of the 10,000 devices, 3 failed.',
  'The rest of a message. Most of all, the number.',
  'What is outside of the folder.',
  'It told of better days; we are told that it works.',
  'Who may do what at the broker (P 7.3).',
  '/** Who the device is: id, server, suite. */',
  '// Who ordered it, and when.',
  'There is no address; it is no longer there; that is no reason to stop.',
  'It took so long that nobody waited; as long as so many are open that one waits.',
  'So much for that.',
  'not, now or later, in the trail',
  'a shallow copy; marshalling',
])('passes: %s', (text) => {
  expect(found(text)).toEqual([]);
});

test('a phrase is found over the end of a line, in text and in a comment', () => {
  expect(found('It is 8443 unless\ntold.')).toEqual(['unless told']);
  expect(found('/**\n * The update is put\n * off.\n */')).toEqual(['put off']);
  expect(found('// it puts the\n// update off')).toEqual(['puts the update off']);
  expect(found('// how it is told\n// of new data')).toEqual(['is told of']);
});

test('each finding has its line', () => {
  expect(findWords('\n\nIt shall be.\nIt is put off.').map(({ line }) => line)).toEqual([3, 4]);
});

test('what is on the wire and on the disk keeps its name', () => {
  expect(found("const DEFAULT_REASON = 'not now';\nputOff: join(folder, 'put-off.json'),")).toEqual([]);
});
