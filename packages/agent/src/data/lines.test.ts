import { systemClock } from '@srup/node';
import { describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { recordingLog } from '../../test/surroundings.ts';
import { DATA_TYPES, type DataType } from '../config/data.ts';
import type { ProgramReport } from '../engine/report.ts';
import { createTokenBucket } from './bucket.ts';
import { createDataTable } from './data-table.ts';
import { deliverData, type DeliverPorts } from './deliver.ts';
import { createProgramOutput } from './output.ts';
import { readLine } from './readings.ts';
import { createLineSplitter, MAX_LINE_BYTES } from './splitter.ts';
import { encodeValue, showValue, type Value } from './values.ts';

const hex = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Buffer.from(text);

describe('values (P 10.6)', () => {
  test.each<[DataType | undefined, Value, string | undefined]>([
    [undefined, 'warm', '7761726d'],
    [undefined, 21.5, '0000000000803540'],
    [undefined, true, '74727565'],
    ['text', 7, '37'],
    ['text', 'é', 'c3a9'],
    ['text', '\ud800', undefined],
    ['bytes', 'AAEC', '000102'],
    ['bytes', 'AAE', undefined],
    ['bytes', 7, undefined],
    ['int8', -128, '80'],
    ['int8', 128, undefined],
    ['uint8', 255, 'ff'],
    ['uint8', -1, undefined],
    ['int16', -2, 'feff'],
    ['uint16', '513', '0102'],
    ['int32', -2, 'feffffff'],
    ['int32', 2 ** 31, undefined],
    ['uint32', 4294967295, 'ffffffff'],
    ['int64', '-9223372036854775808', '0000000000000080'],
    ['int64', '9223372036854775808', undefined],
    ['uint64', '18446744073709551615', 'ffffffffffffffff'],
    ['int32', 1.5, undefined],
    ['int32', 'warm', undefined],
    ['int32', '', undefined],
    ['uint8', true, '01'],
    ['float', 0.5, '0000003f'],
    ['double', '21.5', '0000000000803540'],
    ['double', 'NaN', undefined],
    ['double', Infinity, undefined],
    ['double', true, undefined],
  ])('%s %s is %s', (type, value, expected) => {
    expect(hex(encodeValue(type, value))).toBe(expected);
  });

  test.each<[DataType | undefined, string, object]>([
    [undefined, '7761726d', { text: 'warm' }],
    [undefined, '', { text: '' }],
    [undefined, 'feffffff', { number: -2 }],
    [undefined, '05000000', { number: 5 }],
    [undefined, '0000000000803540', { number: 21.5 }],
    [undefined, '000000000000f87f', { base64: 'AAAAAAAA+H8=' }],
    [undefined, 'ff00', { base64: '/wA=' }],
    [undefined, 'c2854142', { number: 0x4241_85c2 }], // a C1 control character: no text (P 10.6)
    [undefined, 'c285414243444546', { number: 3.3698354087643625e30 }],
    [undefined, '7f414243', { number: 0x4342_417f }],
    [undefined, '00', { base64: 'AA==' }],
    [undefined, '41424300', { number: 0x0043_4241 }],
    [undefined, '09610d0a', { text: '\ta\r\n' }],
    [undefined, 'cdb86162', { text: '\u0378ab' }], // unassigned
    [undefined, 'f4808080', { text: '\u{100000}' }], // private use
    [undefined, '3132333435363738', { text: '12345678' }],
    [undefined, '000000000000f07f', { base64: 'AAAAAAAA8H8=' }],
    [undefined, '0000000000000080', { number: -0 }],
    ['text', '00', { text: '\0' }],
    ['text', 'ff', { base64: '/w==' }],
    ['bytes', '7761', { base64: 'd2E=' }],
    ['int64', '0000000000000080', { text: '-9223372036854775808' }],
    ['int8', '80', { number: -128 }],
    ['int8', '8000', { base64: 'gAA=' }],
    ['float', '0000003f', { number: 0.5 }],
  ])('%s %s reads %o', (type, encoded, expected) => {
    expect(showValue(type, Buffer.from(encoded, 'hex'))).toEqual(expected);
  });

  test('what was written is read again, for every type', () => {
    for (const type of DATA_TYPES) {
      const value = type === 'bytes' ? 'AAEC' : type === 'text' ? 'x' : type.endsWith('64') ? '65' : 65;
      const encoded = encodeValue(type, value)!;
      expect(Object.values(showValue(type, encoded))).toEqual([value]);
    }
  });
});

describe('lines', () => {
  function split(chunks: string[]): { lines: string[]; long: number } {
    let long = 0;
    const splitter = createLineSplitter(() => (long += 1));
    return { lines: chunks.flatMap((chunk) => splitter.push(bytes(chunk))), long };
  }

  test('are cut at their ends, however they arrive', () => {
    expect(split(['one\ntwo\r\n', 'th', 'ree\n\nrest'])).toEqual({
      lines: ['one', 'two', 'three', ''],
      long: 0,
    });
    const splitter = createLineSplitter(() => undefined);
    const euro = bytes('€\n');
    expect([...euro].flatMap((byte) => splitter.push(Uint8Array.of(byte)))).toEqual(['€']);
  });

  test('a line over the limit is dropped, and the next one is taken', () => {
    const long = 'x'.repeat(MAX_LINE_BYTES);
    expect(split([`${long}\n`])).toEqual({ lines: [long], long: 0 });
    expect(split([long, long, 'x\nnext\n'])).toEqual({ lines: ['next'], long: 1 });
  });

  test('the caller may use its buffer again', () => {
    const splitter = createLineSplitter(() => undefined);
    const buffer = bytes('abc');
    splitter.push(buffer);
    buffer.fill('z');
    expect(splitter.push(bytes('\n'))).toEqual(['abc']);
  });
});

describe('readings', () => {
  const bad: string[] = [];
  const read = (line: string, types: Record<string, DataType> = {}) => {
    bad.length = 0;
    return readLine(line, types, (id) => bad.push(id))?.map(({ dataId, data }) => [dataId, hex(data)]);
  };

  test.each([
    ['temperature=21.5', [['temperature', '0000000000803540']]],
    ['state=on fire = yes', [['state', hex(bytes('on fire = yes'))]]],
    ['serial=007', [['serial', '303037']]],
    ['empty=', [['empty', '']]],
    [
      '{"a": 1, "b.c": "x"}',
      [
        ['a', '000000000000f03f'],
        ['b.c', '78'],
      ],
    ],
  ])('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  test.each([
    'hello world',
    'listening on host=x',
    '=5',
    '5=x',
    '{"a": {}}',
    '{}',
    '{"a": null}',
    '{"a": 1',
    '{"a b": 1}',
    '[1]',
  ])('%s is for people', (line) => {
    expect(read(line)).toBeUndefined();
  });

  test('a declared type decides', () => {
    expect(read('count=5', { count: 'int32' })).toEqual([['count', '05000000']]);
    expect(read('count=many', { count: 'int32' })).toEqual([]);
    expect(bad).toEqual(['count']);
    expect(read('toString=x')).toEqual([['toString', '78']]);
  });

  test('a program does not speak for the agent (P 10.7, 9.6)', () => {
    for (const id of ['srup.defer', 'IDENTIFICATION_RESPONSE', 'OBSERVER_ID']) {
      expect(read(`${id}=x`)).toEqual([]);
      expect(bad).toEqual([id]);
    }
  });
});

test('a token bucket fills up again, and not above its size', () => {
  const bucket = createTokenBucket({ perSecond: 10, burst: 2 }, 0);
  expect([0, 0, 0, 50, 100, 150].map((now) => bucket.take(now))).toEqual([
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  expect([10_000, 10_000, 10_000].map((now) => bucket.take(now))).toEqual([true, true, false]);
});

describe('the output of a program', () => {
  function open(report: ProgramReport) {
    const { log, lines } = recordingLog();
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const output = createProgramOutput({ types: {}, report, clock, log });
    return { output, lines, advance: (ms: number) => (now += ms) };
  }

  test('readings become reports, in order; other lines, and stderr, go to the log', async () => {
    const reports: string[] = [];
    const { output, lines } = open((dataId) => {
      reports.push(dataId);
      return Promise.resolve('kept');
    });
    output.take('stdout', bytes('a=1\nstarting\nb=2\n{"c": 3, "d": 4}\n'));
    output.take('stderr', bytes('e=5\n'));
    await until('all reports', () => reports.length === 4);
    expect(reports).toEqual(['a', 'b', 'c', 'd']);
    expect(lines.map(({ level, fields, text }) => [level, fields['from'], text])).toEqual([
      ['info', 'stdout', 'starting'],
      ['info', 'stderr', 'e=5'],
    ]);
  });

  test('a flood is cut down, counted, and logged once', async () => {
    let reports = 0;
    const { output, lines, advance } = open(() => {
      reports += 1;
      return Promise.resolve('kept');
    });
    output.take('stdout', bytes('a=1\n'.repeat(1000)));
    output.take('stdout', bytes('noise\n'.repeat(1000)));
    await until('the burst', () => reports === 100);
    expect(output.drops()).toEqual({ long: 0, fast: 900 + 500, full: 0, bad: 0 });
    expect(lines.filter(({ level }) => level === 'warn').length).toBe(1);
    advance(1000);
    output.take('stdout', bytes('a=1\n'.repeat(1000)));
    await until('a second more', () => reports === 120);
  });

  test('readings that find no room, and lines that are too long, are counted', async () => {
    const { output } = open(() => Promise.resolve('full'));
    output.take('stdout', bytes(`a=1\nsrup.x=1\n${'x'.repeat(MAX_LINE_BYTES + 1)}\n`));
    await until('all were judged', () => output.drops().full === 1);
    expect(output.drops()).toEqual({ long: 1, fast: 0, full: 1, bad: 1 });
  });

  test('storage that does not answer holds a bounded number of readings', () => {
    const { output, advance } = open(() => new Promise(() => undefined));
    for (let times = 0; times < 20; times++) {
      output.take('stdout', bytes('a=1\n'.repeat(100)));
      advance(5000);
    }
    expect(output.drops().fast).toBe(20 * 100 - 256);
  });

  test('a report that throws does not stop the next one', async () => {
    const reports: string[] = [];
    const { output, lines } = open((dataId) => {
      reports.push(dataId);
      return dataId === 'a' ? Promise.reject(new Error('no')) : Promise.resolve('kept');
    });
    output.take('stdout', bytes('a=1\nb=1\n'));
    await until('both', () => reports.length === 2);
    expect(lines.some(({ level }) => level === 'error')).toBe(true);
  });
});

describe('DATA for the program', () => {
  const signal = new AbortController().signal;
  const rules: DeliverPorts['rules'] = { types: {}, strict: false, stdin: true };
  const handlers = createDataTable();
  function open(changes: Partial<DeliverPorts> = {}) {
    const written: unknown[] = [];
    const runs: [readonly string[], string][] = [];
    const ports: DeliverPorts = {
      ...{ rules, handlers, timeoutMs: 1000 },
      write: (text) => {
        expect(text.endsWith('\n')).toBe(true);
        written.push(JSON.parse(text));
        return true;
      },
      run: (argv, input) => {
        runs.push([argv, Buffer.from(input).toString()]);
        return Promise.resolve({ complaint: '' });
      },
      log: recordingLog().log,
      ...changes,
    };
    return { ports, written, runs };
  }
  const setpoint = { dataId: 'set point', data: bytes('warm\n') };

  test('is a JSON line on its stdin', async () => {
    const { ports, written } = open();
    expect(await deliverData(setpoint, ports, signal)).toBe('taken');
    expect(await deliverData({ dataId: 'n', data: Uint8Array.of(5, 0, 0, 0) }, ports, signal)).toBe('taken');
    expect(written).toEqual([
      { id: 'set point', text: 'warm\n' },
      { id: 'n', number: 5 },
    ]);
  });

  test('nothing takes it: unknown', async () => {
    expect(await deliverData(setpoint, open({ write: () => false }).ports, signal)).toBe('unknown');
    const strict = open({ rules: { ...rules, strict: true } });
    expect(await deliverData(setpoint, strict.ports, signal)).toBe('unknown');
    expect(strict.written).toEqual([]);
  });

  test('or goes to a command, which may refuse it', async () => {
    const command = ['/bin/take', '{id}'];
    const { ports, runs, written } = open({ rules: { ...rules, command } });
    expect(await deliverData(setpoint, ports, signal)).toBe('taken');
    expect(runs).toEqual([[['/bin/take', 'set point'], 'warm\n']]);
    expect(written).toEqual([]);
    const run = () => Promise.resolve({ failure: 'exit code 1', complaint: '' });
    expect(await deliverData(setpoint, open({ rules: { ...rules, command }, run }).ports, signal)).toBe(
      'unknown',
    );
  });

  test('or to a handler of the program around the agent, before all others', async () => {
    const taken: unknown[] = [];
    const table = createDataTable();
    table.on('set point', (value) => void taken.push(value));
    table.on(undefined, (value, dataId) => void taken.push([dataId, value]));
    const { ports, written } = open({ handlers: table, rules: { ...rules, types: { raw: 'bytes' } } });
    for (const [dataId, data] of [
      ['set point', bytes('warm')],
      ['n', Uint8Array.of(5, 0, 0, 0)],
      ['raw', Uint8Array.of(1, 2)],
    ] as const)
      expect(await deliverData({ dataId, data }, ports, signal)).toBe('taken');
    expect(taken).toEqual(['warm', ['n', 5], ['raw', Buffer.of(1, 2)]]);
    expect(written).toEqual([]);
  });

  test('a handler that fails, or never ends, has not taken it', async () => {
    const table = createDataTable();
    table.on('a', () => Promise.reject(new Error('no')));
    table.on('b', () => new Promise(() => undefined));
    const { ports } = open({ handlers: table, timeoutMs: 20 });
    const data = bytes('x');
    expect(await deliverData({ dataId: 'a', data }, ports, signal)).toBe('unknown');
    expect(await deliverData({ dataId: 'b', data }, ports, signal)).toBe('unknown');
    const stopping = new AbortController();
    const waiting = deliverData({ dataId: 'b', data }, { ...ports, timeoutMs: 60_000 }, stopping.signal);
    stopping.abort(new Error('the agent stops'));
    await expect(waiting).rejects.toThrow('the agent stops');
  });
});
