import { describe, expect } from 'vitest';
import { systemRandom } from '@srup/node';
import {
  STATUS,
  type ServerAction,
  type ServerEffect,
  type ServerExchange,
  type ServerIdentify,
  type ServerJoin,
  type ServerLeave,
  type Standing,
} from '@srup/protocol';
import { behind } from '../../test/database.ts';
import { test as base } from '../../test/fixtures.ts';
import { tokenCaller } from '../api/callers.ts';
import { newRecord } from '../peers/records.ts';
import { beginChange, type Change } from './change.ts';
import { momentOf } from './facts.ts';
import { addOutcome, END_IDENTITY, END_IDENTITY_DELAY_MS } from './outcome.ts';
import { deviceOwner } from './owner.ts';

const MIA = tokenCaller({ id: '3f2a91c0', name: 'mia' });
const COMMON = { openedAt: 1, attempts: 1 } as const;

const action = (token: string): ServerAction => ({
  ...{ ...COMMON, kind: 'action', phase: 'sent', token, actionId: 4, confirms: true },
});
const identify = (token: string): ServerIdentify => ({ ...COMMON, kind: 'identify', phase: 'sent', token });
const join = (token: string, phase: ServerJoin['phase'] = 'pending'): ServerJoin => ({
  ...{ ...COMMON, kind: 'join', phase, token },
});
const leave = (token: string, phase: ServerLeave['phase'] = 'sent'): ServerLeave => ({
  ...{ ...COMMON, kind: 'leave', phase, token, what: 'terminate', by: 'server', confirms: true },
});

interface Scene {
  /** Stores exchanges that are open with the device. */
  readonly hold: (...exchanges: ServerExchange[]) => Promise<void>;
  /** What a step changes of the device, with all that follows from it. */
  readonly take: (
    before: Standing,
    state: ServerExchange,
    effects: readonly ServerEffect[],
    known?: ServerExchange,
  ) => Promise<Change>;
  readonly owner: string;
}

const test = base.extend('scene', async ({ store, clock, device }): Promise<Scene> => {
  const record = newRecord(device.enrolment, clock.now(), systemRandom);
  await behind(store).insertInto('devices').values(record.row).execute();
  const policies = { verdictFor: () => 'ask' as const };
  const ports = { store, clock, random: systemRandom, policies };
  return {
    owner: deviceOwner(device.text),
    hold: async (...exchanges) => {
      for (const { kind, phase, token, ...rest } of exchanges) {
        const row = { device: device.text, kind, phase, token, opened_at: 1, order_id: null, wake_at: null };
        const state = JSON.stringify({ kind, phase, token, ...rest });
        const values = { ...row, state, is_open: 1, updated_at: 1 };
        await behind(store).insertInto('exchanges').values(values).execute();
      }
    },
    take: async (standing, state, effects, known) => {
      const change = beginChange({ ...record, row: { ...record.row, standing } }, clock.now());
      await addOutcome(ports, change, { state, effects }, momentOf(ports), { known, by: MIA });
      return change;
    },
  };
});

const stand = (standing: Standing): ServerEffect => ({ do: 'stand', standing });
/** Phase of each exchange of a change, by its token. */
const phasesOf = ({ exchanges }: Change) =>
  Object.fromEntries([...exchanges].map(([token, { phase }]) => [token, phase]));
const sentBy = ({ outgoing }: Change) => outgoing.map(({ draft }) => draft.type);

describe('when the device left', () => {
  test.for<Standing>(['resigned', 'terminated', 'deregistered'])(
    'what is open with it is given up, but for other words about its leaving: %s',
    async (standing, { scene }) => {
      await scene.hold(leave('this'), leave('other'), action('act'), join('wish'));
      const change = await scene.take('joined', leave('this', 'left'), [stand(standing)], leave('this'));
      expect(phasesOf(change)).toEqual({ this: 'left', act: 'expired', wish: 'expired' });
      expect(change.exchanges.get('wish')).toMatchObject({ status: STATUS.JOIN_FAIL });
      expect(change.exchanges.get('act')).not.toHaveProperty('status');
      expect(change.ended.map(({ token }) => token).sort()).toEqual(['act', 'this', 'wish']);
    },
  );

  test('nothing is given up a second time', async ({ scene }) => {
    await scene.hold(action('act'));
    const change = await scene.take('resigned', leave('this', 'left'), [stand('resigned')], leave('this'));
    expect(phasesOf(change)).toEqual({ this: 'left' });
  });

  test('for good, an errand ends its identity, after our answer could reach it (P 10.8)', async ({
    scene,
  }) => {
    const change = await scene.take('joined', leave('this', 'left'), [stand('deregistered')], leave('this'));
    const after = change.at + END_IDENTITY_DELAY_MS;
    expect(change.errands).toEqual([{ owner: scene.owner, kind: END_IDENTITY, body: {}, after }]);
    for (const standing of ['resigned', 'terminated'] as const) {
      const { errands } = await scene.take('joined', leave('this', 'left'), [stand(standing)], leave('this'));
      expect(errands).toEqual([]);
    }
  });
});

test('when it asks to join while an older request waits, the older one is given up, and nothing else', async ({
  scene,
}) => {
  await scene.hold(join('older'), action('act'));
  const change = await scene.take('pending', join('newer'), [stand('pending')]);
  expect(phasesOf(change)).toEqual({ newer: 'pending', older: 'expired' });
  expect(change.ended).toMatchObject([{ token: 'older', status: STATUS.JOIN_FAIL }]);
  // The same request again is not a newer one.
  expect(phasesOf(await scene.take('pending', join('newer'), [], join('newer')))).toEqual({
    newer: 'pending',
  });
});

describe('when a join was decided', () => {
  test.for([
    ['accepted', 'accept', 'joined'],
    ['refused', 'refuse', 'refused'],
    ['failed', 'fail', 'failed'],
  ] as const)(
    'the evidence is kept, with whoever decided (P 9.8): %s',
    async ([phase, verdict, standing], { scene }) => {
      const change = await scene.take('pending', join('wish', phase), [stand(standing)], join('wish'));
      expect(change.decisions).toEqual([{ token: 'wish', verdict, by: MIA }]);
      expect(change.ended.map(({ token }) => token)).toEqual(['wish']);
    },
  );

  test('nothing is noted of what nobody decided, or what was decided before', async ({ scene }) => {
    const expired = await scene.take('pending', join('wish', 'expired'), [stand('failed')], join('wish'));
    const again = await scene.take('refused', join('wish', 'refused'), [], join('wish', 'refused'));
    const joined = await scene.take('joined', join('wish', 'accepted'), []);
    for (const { decisions } of [expired, again, joined]) expect(decisions).toEqual([]);
  });

  test('and it was let in, it is asked what it is (P 10.7)', async ({ scene }) => {
    const change = await scene.take('pending', join('wish', 'accepted'), [stand('joined')], join('wish'));
    expect(sentBy(change)).toEqual(['ID_REQUEST']);
    expect([...change.exchanges.values()].map(({ kind }) => kind)).toEqual(['join', 'identify']);
    const refused = await scene.take('pending', join('wish', 'refused'), [stand('refused')], join('wish'));
    expect(sentBy(refused)).toEqual([]);
  });
});

test('when it runs new software, it is asked what it is; when it only staged some, or went back, it is not', async ({
  scene,
}) => {
  const digest = 'a'.repeat(64);
  for (const [what, sent] of [
    ['active', ['ID_REQUEST']],
    ['staged', []],
    ['reverted', []],
  ] as const) {
    const change = await scene.take('joined', action('any'), [{ do: 'prove', what, digest }], action('any'));
    expect(sentBy(change), what).toEqual(sent);
  }
});

test('when it said what it is, every open question has the answer, whatever its token', async ({ scene }) => {
  await scene.hold(identify('older'), identify('this'), action('act'));
  const said = { ...identify('this'), phase: 'answered', identification: 'boiler 7' } as const;
  const effect = { do: 'identify', identification: 'boiler 7' } as const;
  const change = await scene.take('joined', said, [effect], identify('this'));
  expect(phasesOf(change)).toEqual({ this: 'answered', older: 'answered' });
  expect(change.record.row.identification).toBe('boiler 7');
});

test('nothing follows from a step that changes nothing of the device', async ({ scene }) => {
  await scene.hold(join('wish'), identify('question'));
  const change = await scene.take('joined', action('act'), []);
  expect(phasesOf(change)).toEqual({ act: 'sent' });
  expect([change.ended, change.errands, change.decisions, change.outgoing]).toEqual([[], [], [], []]);
});
