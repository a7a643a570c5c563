import type { Caller, Clock, JoinVerdict } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { appendAudit } from '../chain/append.ts';

/** Stands for every device type that has no rule of its own. */
export const ANY_TYPE = '*';
/** Characters of the longest device type. */
const LONGEST_TYPE = 100;
/** The most rules; they are held in memory. */
const MOST_RULES = 1_000;

/** What a device that asks to join gets, by its type (P 9.1). */
export interface JoinPolicies {
  /** The rule of the type, else that of `*`. */
  verdictFor(type: string): JoinVerdict;
  all(): Readonly<Record<string, JoinVerdict>>;
  /** Sets the rule of a type; undefined removes it. The rule of `*` can't be removed. */
  set(type: string, verdict: JoinVerdict | undefined, by: Caller): Promise<void>;
  /** Reads the rules again: a change can be stored although it failed. */
  refresh(): Promise<void>;
}

export async function openJoinPolicies(
  store: Store<CoreTables>,
  clock: Pick<Clock, 'now'>,
): Promise<JoinPolicies> {
  let rules = new Map<string, JoinVerdict>();

  async function refresh(): Promise<void> {
    const rows = await store.read.selectFrom('join_policies').selectAll().execute();
    rules = new Map(rows.map(({ type, verdict }) => [type, verdict]));
  }

  await refresh();
  return {
    refresh,
    verdictFor: (type) => rules.get(type) ?? rules.get(ANY_TYPE) ?? 'ask',
    all: () => Object.fromEntries(rules),
    set: async (type, verdict, by) => {
      checkRule(type, verdict, rules);
      const at = clock.now();
      await store.commit(async (transaction) => {
        await transaction.deleteFrom('join_policies').where('type', '=', type).execute();
        if (verdict !== undefined)
          await transaction.insertInto('join_policies').values({ type, verdict }).execute();
        const body = { type, verdict: verdict ?? null, by };
        await appendAudit(transaction, { kind: 'policy', at, body });
      });
      if (verdict === undefined) rules.delete(type);
      else rules.set(type, verdict);
    },
  };
}

function checkRule(
  type: string,
  verdict: JoinVerdict | undefined,
  rules: ReadonlyMap<string, JoinVerdict>,
): void {
  if (type.length === 0 || type.length > LONGEST_TYPE) {
    throw new FleetError('invalid', `a device type has 1 to ${LONGEST_TYPE} characters`);
  }
  if (type === ANY_TYPE && verdict === undefined) {
    throw new FleetError('invalid', `the rule for "${ANY_TYPE}" can be changed, but not removed`);
  }
  if (verdict !== undefined && !rules.has(type) && rules.size >= MOST_RULES) {
    throw new FleetError('conflict', `there are ${MOST_RULES} rules already; remove one first`);
  }
}
