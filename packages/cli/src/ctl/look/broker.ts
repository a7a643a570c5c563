import type { Command } from 'commander';
import type { BrokerView } from '../../client/views.ts';
import { CTL_EXIT } from '../../failure.ts';
import type { Cell } from '../../screen/output.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import { relativeTime } from '../../screen/words.ts';

const MEANINGS = {
  current: 'it refuses everybody who was revoked (tried out)',
  behind: 'IT LETS IN DEVICES THAT WERE REVOKED (tried out)',
  unproven: 'not known whether it refuses who was revoked',
} as const;

const EMBEDDED = 'it asks the key service at each connection, and refuses everybody who was revoked';

function meaningOf(state: BrokerView['revocation']['state']): Cell {
  return state === 'current' ? MEANINGS[state] : { text: MEANINGS[state], style: 'red' };
}

export function addBroker(ctl: Command): void {
  defineCommand(ctl, 'broker', 'show the MQTT broker, and whether it refuses who was revoked', [
    'broker',
    'broker --json',
  ]).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const view = await api.get<BrokerView>('/broker');
      const { kind, url, revocation, endsSessions } = view;
      const { state, since, problem } = revocation;
      output.result(view, () => {
        output.facts([
          ['Broker', `${url} (${kind})`],
          ['Revocation', kind === 'embedded' ? EMBEDDED : meaningOf(state)],
          ['Since', relativeTime(since)],
          ['Problem', problem],
          [
            'Sessions',
            endsSessions
              ? 'the server ends those of revoked devices'
              : 'one that is open goes on after a revocation; nothing is sent to it or taken from it (--broker-sessions)',
          ],
        ]);
      });
      return state === 'current' ? CTL_EXIT.ok : CTL_EXIT.refused;
    }),
  );
}
