import { expect, test } from 'vitest';
import { viewData } from './views.ts';

test.each<[what: string, hex: string, kind: string, value: string | number]>([
  ['nothing', '', 'text', ''],
  ['a C1 control character', 'c2854142', 'int32', 0x4241_85c2],
  ['a C1 control character in 8 bytes', 'c285414243444546', 'double', 3.3698354087643625e30],
  ['DEL', '7f414243', 'int32', 0x4342_417f],
  ['NUL', '00', 'raw', '00'],
  ['a text that ends with NUL', '41424300', 'int32', 0x0043_4241],
  ['tab, line feed and carriage return', '09610d0a', 'text', '\ta\r\n'],
  ['an unassigned character', 'cdb86162', 'text', '\u0378ab'],
  ['private use', 'f4808080', 'text', '\u{100000}'],
  ['a text of 8 bytes', '3132333435363738', 'text', '12345678'],
  ['NaN', '000000000000f87f', 'double', 'NaN'],
  ['infinity', '000000000000f07f', 'double', 'Infinity'],
  ['minus infinity', '000000000000f0ff', 'double', '-Infinity'],
  ['minus zero', '0000000000000080', 'double', -0],
  ['no UTF-8', 'ff00', 'raw', 'ff00'],
])('DATA is shown as the device reads it (P 10.6): %s', (_what, hex, kind, value) => {
  const row = { at: 0, device: 'd', data_id: 'x', bytes: Buffer.from(hex, 'hex') };
  expect(viewData(row)).toMatchObject({ hex, kind, value });
});
