import { ROLES } from '@srup/server/vocabulary';
import { Option, type Command } from 'commander';
import { segment } from '../../client/api.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { AnswerTo } from '../../client/views.ts';
import { confirmTyped } from '../../screen/prompts.ts';
import { relativeTime } from '../../screen/words.ts';
import { UserError } from '../../user-error.ts';
import { expiry } from './expiry.ts';

interface DeleteOptions extends CommonOptions {
  readonly yes?: true;
}

export function addTokens(ctl: Command): void {
  const tokens = defineCommand(ctl, 'tokens', 'list API tokens', [
    'tokens',
    'tokens create ci --role operator --expires-in 90d',
    'tokens delete ci',
  ]).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const list = await api.get<AnswerTo<'listTokens'>>('/tokens');
      output.result(list, () => {
        output.table(
          ['ID', 'NAME', 'ROLE', 'MADE', 'LAST USED', 'EXPIRES'],
          list.map(({ id, name, role, createdAt, usedAt, expiresAt }) => [
            id,
            name,
            role,
            relativeTime(createdAt),
            relativeTime(usedAt),
            expiresAt === undefined ? 'never' : relativeTime(expiresAt),
          ]),
        );
      });
      return undefined;
    }),
  );

  defineCommand(tokens, 'create <name>', 'make an API token; it is shown once', [
    'tokens create ci --role operator --expires-in 90d',
  ])
    .addOption(
      new Option(
        '--role <role>',
        'viewer: reads; operator: also commands devices; approver: as operator; admin: also manages access',
      )
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option('--expires-in <time>', '12h, 90d... (default: never)')
    .action(
      (
        name: string,
        {
          role,
          expiresIn,
          ...options
        }: CommonOptions & { readonly role: string; readonly expiresIn?: string },
      ) =>
        withSession(options, async ({ api, output }) => {
          const made = await api.send<AnswerTo<'createToken'>>('POST', '/tokens', {
            name,
            role,
            ...expiry(expiresIn),
          });
          output.result(made, () => {
            output.line(made.secret);
            output.note(
              `This is the API token "${name}" (${role}). It is shown only this once: keep it safe.`,
            );
          });
          return undefined;
        }),
    );

  defineCommand(
    tokens,
    'delete <token>',
    'revoke an API token, named by its id, or by its name if only one has it',
    ['tokens delete ci'],
  )
    .option('--yes', 'do not ask')
    .action((text: string, { yes, ...options }: DeleteOptions) =>
      withSession(options, async ({ api, output }) => {
        const list = await api.get<AnswerTo<'listTokens'>>('/tokens');
        const token = only(
          list.filter(({ id, name }) => id === text || name === text),
          text,
          'token',
          'srup ctl tokens',
        );
        await confirmTyped(
          `Whoever uses the token "${token.name}" (${token.role}) will lose access at once`,
          token.name,
          yes === true,
        );
        await api.send('DELETE', `/tokens/${segment(token.id)}`);
        output.result(token, () => {
          output.line(`Revoked "${token.name}".`);
        });
        return undefined;
      }),
    );
}

function only<Thing>(found: readonly Thing[], text: string, what: string, list: string): Thing {
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new UserError(
    found.length === 0 ? `there is no ${what} "${text}"` : `${found.length} ${what}s are called "${text}"`,
    `${found.length === 0 ? 'List all' : 'Name it by its id'}: ${list}`,
  );
}
