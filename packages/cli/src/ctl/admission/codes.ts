import type { Command } from 'commander';
import { segment } from '../../client/api.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { AnswerTo } from '../../client/views.ts';
import { relativeTime } from '../../screen/words.ts';
import { UserError } from '../../user-error.ts';
import { expiry } from './expiry.ts';

/** Adds the commands for enrolment codes (P 8.4). */
export function addCodes(ctl: Command): void {
  const codes = defineCommand(ctl, 'codes', 'list the enrolment codes with which devices register', [
    'codes',
    'codes create --type camera --uses 20 --expires-in 7d',
    'codes delete 7c1d2f60-...',
  ]).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const list = await api.get<AnswerTo<'listEnrolmentCodes'>>('/enrolment-codes');
      output.result(list, () => {
        if (list.length === 0) output.line('There is no code: srup ctl codes create');
        else {
          output.table(
            ['ID', 'TYPE', 'USES LEFT', 'MADE', 'EXPIRES'],
            list.map(({ id, type, usesLeft, createdAt, expiresAt }) => [
              id,
              type ?? 'any',
              String(usesLeft),
              relativeTime(createdAt),
              expiresAt === undefined ? 'never' : relativeTime(expiresAt),
            ]),
          );
        }
      });
      return undefined;
    }),
  );

  defineCommand(codes, 'create', 'make an enrolment code; it is shown once', [
    'codes create --type camera --uses 20 --expires-in 7d',
  ])
    .option('--type <type>', 'only for devices of this type')
    .option('--uses <count>', 'how many devices can use it', '1')
    .option('--expires-in <time>', '12h, 7d... (default: never)')
    .action(
      ({
        type,
        uses,
        expiresIn,
        ...options
      }: CommonOptions & { readonly type?: string; readonly uses: string; readonly expiresIn?: string }) =>
        withSession(options, async ({ api, output }) => {
          const wish = {
            uses: parseUses(uses),
            ...(type === undefined ? {} : { type }),
            ...expiry(expiresIn),
          };
          const made = await api.send<AnswerTo<'createEnrolmentCode'>>('POST', '/enrolment-codes', wish);
          output.result(made, () => {
            output.line(made.secret);
            output.note(
              `${uses === '1' ? 'One device' : `${uses} devices`} can register with it. It is shown only this once.`,
            );
          });
          return undefined;
        }),
    );

  defineCommand(codes, 'delete <id>', 'withdraw an enrolment code', ['codes delete 7c1d2f60-...']).action(
    (id: string, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        await api.send('DELETE', `/enrolment-codes/${segment(id)}`);
        output.result({ id }, () => {
          output.line('Withdrawn: no device can register with it any more.');
        });
        return undefined;
      }),
  );
}

function parseUses(text: string): number {
  const uses = Number(text);
  if (Number.isInteger(uses) && uses > 0) return uses;
  throw new UserError(`"${text}" is not a number of devices`, 'Write a whole number above 0.');
}
