import { JOIN_VERDICTS } from '@srup/server/vocabulary';
import { Argument, type Command } from 'commander';
import { segment } from '../../client/api.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { AnswerTo } from '../../client/views.ts';

export function addPolicy(ctl: Command): void {
  const policy = defineCommand(ctl, 'policy', 'show what joining devices get, by their type', [
    'policy',
    'policy set camera accept',
    "policy set '*' ask",
    'policy unset camera',
  ]).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const rules = await api.get<AnswerTo<'getJoinPolicy'>>('/join-policy');
      output.result(rules, () => {
        output.table(['TYPE', 'VERDICT'], Object.entries(rules));
        output.note(
          '"*" is the rule for every type without its own; "ask": an operator decides (srup ctl joins).',
        );
      });
      return undefined;
    }),
  );

  defineCommand(policy, 'set', 'set the rule of a type', ['policy set camera accept', "policy set '*' ask"])
    .argument('<type>', "device type; '*' for all types without their own rule")
    .addArgument(new Argument('<verdict>', 'accept, refuse, fail, or ask an operator').choices(JOIN_VERDICTS))
    .action((type: string, verdict: string, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        await api.send('PUT', `/join-policy/${segment(type)}`, { verdict });
        output.result({ type, verdict }, () => {
          output.line(`A joining device of the type ${type} gets: ${verdict}`);
        });
        return undefined;
      }),
    );

  defineCommand(policy, 'unset', 'remove the rule of a type', ['policy unset camera'])
    .argument('<type>', 'device type')
    .action((type: string, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        await api.send('DELETE', `/join-policy/${segment(type)}`);
        output.result({ type }, () => {
          output.line(`The rule of '*' now applies to the type ${type}.`);
        });
        return undefined;
      }),
    );
}
