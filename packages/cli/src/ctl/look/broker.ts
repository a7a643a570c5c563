import type { Command } from 'commander';
import type { BrokerView } from '../../client/views.ts';
import { CTL_EXIT } from '../../failure.ts';
import type { Cell } from '../../screen/output.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import { relativeTime } from '../../screen/words.ts';

const MEANINGS = {
  current: 'it refuses all revoked devices (tested)',
  behind: 'IT ACCEPTS REVOKED DEVICES (tested)',
  unproven: 'it is unknown whether it refuses revoked devices',
} as const;

const EMBEDDED = 'it asks the key service at each connection and refuses all revoked devices';

function meaningOf(state: BrokerView['revocation']['state']): Cell {
  return state === 'current' ? MEANINGS[state] : { text: MEANINGS[state], style: 'red' };
}

export function addBroker(ctl: Command): void {
  defineCommand(ctl, 'broker', 'show the MQTT broker, and whether it refuses revoked devices', [
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
              ? 'the server ends the sessions of revoked devices'
              : 'an open session stays open after a revocation, but nothing is sent to it or accepted from it (--broker-sessions)',
          ],
        ]);
      });
      return state === 'current' ? CTL_EXIT.ok : CTL_EXIT.refused;
    }),
  );
}
