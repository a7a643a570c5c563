import { createHash } from 'node:crypto';
import type { ExpressionBuilder, ExpressionWrapper, SqlBool } from 'kysely';
import type { Caller, Clock, Random } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import type { CreatedCode, EnrolmentCode } from '../api/forms/enrolment.ts';
import { addKeyEvent } from './events.ts';
import { prepare } from '../store/prepared.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Read, Store, Write } from '../store/port.ts';

const CODE_BYTES = 12;
const GROUP = /.{4}/g;

/** Codes that let a device register (P 8.4): an operator creates them, and the service keeps their hashes. */
export interface EnrolmentCodes {
  /** Creates a code. Only this answer holds its `secret`. */
  create(wish: {
    readonly type?: string;
    readonly uses: number;
    readonly expiresAt?: number;
    /** Who creates the code, for the audit trail; by default the program that runs the server. */
    readonly by?: Caller;
  }): Promise<CreatedCode>;
  list(): Promise<readonly EnrolmentCode[]>;
  /** Resolves to false when there is no such code. */
  remove(id: string, by?: Caller): Promise<boolean>;
}

/**
 * The enrolment codes of a key service.
 *
 * @example
 * const { secret } = await createCodes(store, clock, random).create({ type: 'pump', uses: 500 });
 */
export function createCodes(store: Store<KeyServiceTables>, clock: Clock, random: Random): EnrolmentCodes {
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
      await store.commit(async (write) => {
        await write.insertInto('enrolment_codes').values(row).execute();
        await addKeyEvent(write, { kind: 'code', at, body });
      });
      return { secret, code: view(row) };
    },
    list: async () => {
      const rows = await store.read.selectFrom('enrolment_codes').selectAll().orderBy('created_at').execute();
      return rows.map(view);
    },
    remove: async (id, by = PROGRAM) => {
      const at = clock.now();
      return store.commit(async (write) => {
        const { numDeletedRows } = await write
          .deleteFrom('enrolment_codes')
          .where('id', '=', id)
          .executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        const body = { change: 'removed', id, by } as const;
        await addKeyEvent(write, { kind: 'code', at, body });
        return true;
      });
    },
  };
}

/** A code as a device shows it. `now`: ms since 1970. */
interface Shown {
  readonly hash: string;
  readonly type: string;
  readonly now: number;
}

const useUp = prepare((write: Write<KeyServiceTables>, p: Shown) =>
  write
    .updateTable('enrolment_codes')
    .set((eb) => ({ uses_left: eb('uses_left', '-', 1) }))
    .where((eb) => isUsable(eb, p)),
);
const selectUsable = prepare((read: Read<KeyServiceTables>, p: Shown) =>
  read
    .selectFrom('enrolment_codes')
    .select('id')
    .where((eb) => isUsable(eb, p)),
);

/**
 * Takes one use of a code, in the transaction of the registration. Resolves to false when the code does not let a device
 * of this type register now. `now`: ms since 1970.
 */
export async function takeUse(
  write: Write<KeyServiceTables>,
  code: string,
  type: string,
  now: number,
): Promise<boolean> {
  const { numAffectedRows = 0n } = await useUp(write, { hash: hashOf(code), type, now });
  return numAffectedRows > 0n;
}

/** Would the code let a device of this type register now? */
export async function hasUse(
  read: Read<KeyServiceTables>,
  code: string,
  type: string,
  now: number,
): Promise<boolean> {
  const { rows } = await selectUsable(read, { hash: hashOf(code), type, now });
  return rows.length > 0;
}

function isUsable(
  eb: ExpressionBuilder<KeyServiceTables, 'enrolment_codes'>,
  { hash, type, now }: Shown,
): ExpressionWrapper<KeyServiceTables, 'enrolment_codes', SqlBool> {
  return eb.and([
    // The code is random and long: a look-up by its hash leaks nothing that timing could find.
    eb('hash', '=', hash),
    eb('uses_left', '>', 0),
    eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]),
    eb.or([eb('type', 'is', null), eb('type', '=', type)]),
  ]);
}

/** The same for each way in which people write a code: dashes, spaces and case don't matter. */
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
