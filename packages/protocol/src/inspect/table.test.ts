import { describe, expect, it } from 'vitest';
import { LAYOUTS } from '../message/layouts.ts';
import { STATUS } from '../message/status.ts';
import { renderFaultTable, renderMessageTable, renderMessageTable2016, renderStatusTable } from './table.ts';

function lines(table: string): string[] {
  return table.split('\n');
}

describe('the tables of the documents', () => {
  it('have a row for each type', () => {
    const table = lines(renderMessageTable());
    expect(table).toHaveLength(2 + LAYOUTS.length);
    expect(table.slice(0, 2)).toEqual([
      '| Code | Type | Direction | Body | Clause |',
      '| --- | --- | --- | --- | --- |',
    ]);
    expect(table).toContain('| 0x00 | `GENERIC` | never sent |  | P 3 |');
    expect(table).toContain(
      '| 0x01 | `INITIATE` | S>D | `url` (var text, NUL allowed), `digest` (var text, NUL allowed) | P 10.1 |',
    );
    expect(table).toContain(
      '| 0x2C | `SYNDICATED_C2_REQ` | H>B, B>A | `data` (var bytes), `requestId` (u8), `reserved` (two 0x00) | P 13.2 |',
    );
  });

  it('have a row for each type of 2016', () => {
    expect(lines(renderMessageTable2016())).toEqual([
      '| Code | Type | Fields after the signature | Clause |',
      '| --- | --- | --- | --- |',
      '| 0x01 | `INITIATE` | `target` (var bytes), `token` (var bytes), `url` (var bytes), `digest` (var bytes) | P 1.2 |',
      '| 0x02 | `RESPONSE` | `token` (var bytes), `status` (u8) | P 1.2 |',
      '| 0x03 | `ACTIVATE` | `token` (var bytes) | P 1.2 |',
    ]);
  });

  it('have a row for each status and each fault', () => {
    expect(lines(renderStatusTable())).toHaveLength(2 + Object.keys(STATUS).length);
    expect(lines(renderStatusTable())).toContain(
      '| 0xFD | `UPDATE_FAIL_SERVER` | the file server did not answer |',
    );
    expect(lines(renderFaultTable())).toContain('| `AUTH_SIGNATURE` | auth | the signature does not hold |');
  });

  it('have the same number of cells in every row', () => {
    for (const table of [renderMessageTable(), renderStatusTable(), renderFaultTable()]) {
      const widths = lines(table).map((line) => line.split('|').length);
      expect(new Set(widths).size).toBe(1);
    }
  });
});
