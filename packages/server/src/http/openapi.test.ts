import { readFile } from 'node:fs/promises';
import { request } from 'undici';
import { describe, expect } from 'vitest';
import { test as base } from '../../test/http/running.ts';
import { shapesOf, type OpenApi, type OperationShape } from '../../test/http/shape.ts';
import { API_PREFIX, OPERATIONS } from '../api/operations.ts';
import type { Operation } from '../api/operations/operation.ts';
import { PERMISSIONS } from '../api/permissions.ts';

type Shapes = Readonly<Record<string, OperationShape>>;
type Described = Readonly<Record<string, unknown>>;

const RELEASED = new URL('../../test/http/openapi-0.1.json', import.meta.url);

const test = base
  .extend('released', { scope: 'file' }, async () => JSON.parse(await readFile(RELEASED, 'utf8')) as Shapes)
  .extend('document', { scope: 'file' }, async ({ running: { server, client } }): Promise<OpenApi> => {
    const { body } = await request(`${server.url}${API_PREFIX}/openapi.json`, { dispatcher: client });
    return (await body.json()) as OpenApi;
  })
  .extend('shapes', { scope: 'file' }, ({ document }): Shapes => shapesOf(document));

const plain = (field: string): string => field.replace(/!$/, '');
const isRequired = (field: string): boolean => field.endsWith('!');

describe('a client of release 0.1', () => {
  test('finds every operation and every status', ({ released, shapes }) => {
    for (const [name, { answers }] of Object.entries(released)) {
      expect(shapes, name).toHaveProperty([name]);
      expect(Object.keys(shapes[name]?.answers ?? {}), name).toEqual(
        expect.arrayContaining(Object.keys(answers)),
      );
    }
  });

  test('finds every field of an answer, and those that were always there still are', ({
    released,
    shapes,
  }) => {
    for (const [name, { answers }] of Object.entries(released)) {
      for (const [status, fields] of Object.entries(answers)) {
        const now = shapes[name]?.answers[status] ?? [];
        const missing = fields.filter(
          (field) => !now.includes(field) && (isRequired(field) || !now.includes(`${field}!`)),
        );
        expect(missing, `${name} ${status}`).toEqual([]);
      }
    }
  });

  test('may send what it sent, and need not send more', ({ released, shapes }) => {
    for (const [name, { parameters, body }] of Object.entries(released)) {
      const [before, now] = [[...parameters, ...body], shapes[name]];
      const taken = [...(now?.parameters ?? []), ...(now?.body ?? [])];
      expect(taken.map(plain), name).toEqual(expect.arrayContaining(before.map(plain)));
      expect(before, name).toEqual(expect.arrayContaining(taken.filter(isRequired)));
    }
  });
});

test('every operation of the table is described, with its permission and the lowest role that has it', ({
  document,
  shapes,
}) => {
  const { paths } = document;
  const table = Object.entries<Operation>(OPERATIONS).filter(([, { isHidden }]) => isHidden !== true);
  for (const [name, { method, path, permission }] of table) {
    const described = paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()] as Described | undefined;
    expect(described, name).toMatchObject(
      permission === 'open'
        ? { operationId: name, security: [] }
        : { operationId: name, 'x-permission': permission, 'x-role': PERMISSIONS[permission].role },
    );
  }
  expect(Object.keys(shapes)).toHaveLength(table.length);
});

test('the form of an event is described', ({ document }) => {
  expect(document.components.schemas).toHaveProperty('Event');
  expect(document.paths['/events']?.['get']).toMatchObject({
    'x-events': { $ref: '#/components/schemas/Event' },
  });
});
