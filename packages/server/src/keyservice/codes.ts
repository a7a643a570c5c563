import { createHash } from 'node:crypto';
import type { ExpressionBuilder, ExpressionWrapper, SqlBool } from 'kysely';
import type { Caller, Clock, Random } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import type { CreatedCode, EnrolmentCode } from '../api/forms/enrolment.ts';
import { addKeyEvent } from './events.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Read, Store, Write } from '../store/port.ts';

const CODE_BYTES = 12;
const GROUP = /.{4}/g;

/** Codes that let a device register (P 8.4): an operator makes them, the service keeps their hashes. */
export interface EnrolmentCodes {
  /** `secret` is given this once. */
  create(wish: {
    readonly type?: string;
    readonly uses: number;
    readonly expiresAt?: number;
    /** Who creates the code, for the audit trail; by default the program that runs the server. */
    readonly by?: Caller;
  }): Promise<CreatedCode>;
  list(): Promise<readonly EnrolmentCode[]>;
  remove(id: string, by?: Caller): Promise<boolean>;
}

export function openCodes(store: Store<KeyServiceTables>, clock: Clock, random: Random): EnrolmentCodes {
  return {
    create: async ({ type, uses, expiresAt, by = PROGRAM }) => {
      const secret = (hex(random, CODE_BYTES).match(GROUP) ?? []).join('-');
      const row = {
        id: hex(random, 8),
        hash: hashOf(secret),
        type: type ?? null,
        uses_left: uses,
        expires_at: expiresAt ?? null,
        created_at: clock.now(),
      };
      const { id, created_at: at } = row;
      const body = { change: 'created', id, ...(type !== undefined && { type }), uses, by } as const;
      await store.commit(async (trx) => {
        await trx.insertInto('enrolment_codes').values(row).execute();
        await addKeyEvent(trx, { kind: 'code', at, body });
      });
      return { secret, code: view(row) };
    },
    list: async () => {
      const rows = await store.read.selectFrom('enrolment_codes').selectAll().orderBy('created_at').execute();
      return rows.map(view);
    },
    remove: (id, by = PROGRAM) =>
      store.commit(async (trx) => {
        const { numDeletedRows } = await trx
          .deleteFrom('enrolment_codes')
          .where('id', '=', id)
          .executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        const body = { change: 'removed', id, by } as const;
        await addKeyEvent(trx, { kind: 'code', at: clock.now(), body });
        return true;
      }),
  };
}

/** Takes one use of a code; false when it gives none for this type now. Part of the registration's transaction. */
export async function takeUse(
  store: Write<KeyServiceTables>,
  code: string,
  type: string,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('enrolment_codes')
    .set((eb) => ({ uses_left: eb('uses_left', '-', 1) }))
    .where((eb) => isUsable(eb, code, type, now))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Would the code let a device of this type register now? */
export async function hasUse(
  store: Read<KeyServiceTables>,
  code: string,
  type: string,
  now: number,
): Promise<boolean> {
  const row = await store
    .selectFrom('enrolment_codes')
    .select('id')
    .where((eb) => isUsable(eb, code, type, now))
    .executeTakeFirst();
  return row !== undefined;
}

function isUsable(
  eb: ExpressionBuilder<KeyServiceTables, 'enrolment_codes'>,
  code: string,
  type: string,
  now: number,
): ExpressionWrapper<KeyServiceTables, 'enrolment_codes', SqlBool> {
  return eb.and([
    // The code is random and long: a look-up by its hash leaks nothing that timing could find.
    eb('hash', '=', hashOf(code)),
    eb('uses_left', '>', 0),
    eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]),
    eb.or([eb('type', 'is', null), eb('type', '=', type)]),
  ]);
}

/** However people write it: groups, spaces and case don't matter. */
function hashOf(code: string): string {
  return createHash('sha256').update(code.replace(/[-\s]/g, '').toLowerCase()).digest('hex');
}

function hex(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('hex');
}

function view(row: KeyServiceTables['enrolment_codes']): EnrolmentCode {
  return {
    id: row.id,
    usesLeft: row.uses_left,
    createdAt: row.created_at,
    ...(row.type === null ? {} : { type: row.type }),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  };
}
