import { Argument, Option, type Command } from 'commander';
import { UserError } from '../../user-error.ts';
import { segment } from '../api.ts';
import { confirmTyped } from '../prompts.ts';
import { defineCommand, withSession, type CommonOptions } from '../session.ts';
import type { EnrolmentCodeView, TokenView } from '../views.ts';
import { parseDuration, relativeTime } from '../words.ts';

const ROLES = ['viewer', 'operator', 'admin'];

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
      const list = await api.get<readonly TokenView[]>('/tokens');
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
      new Option('--role <role>', 'viewer: sees; operator: also commands; admin: also lets others in')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option('--expires-in <time>', '12h, 90d...; never unless told')
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
          const made = await api.send<{ secret: string; token: TokenView }>('POST', '/tokens', {
            name,
            role,
            ...expiry(expiresIn),
          });
          output.result(made, () => {
            output.line(made.secret);
            output.note(`This is the API token "${name}" (${role}). It is shown this once: keep it safe.`);
          });
          return undefined;
        }),
    );

  defineCommand(tokens, 'delete <token>', 'revoke an API token: by id, or by a name that only one has', [
    'tokens delete ci',
  ])
    .option('--yes', 'do not ask')
    .action((text: string, { yes, ...options }: DeleteOptions) =>
      withSession(options, async ({ api, output }) => {
        const list = await api.get<readonly TokenView[]>('/tokens');
        const token = only(
          list.filter(({ id, name }) => id === text || name === text),
          text,
          'token',
          'srup ctl tokens',
        );
        await confirmTyped(
          `Who uses the token "${token.name}" (${token.role}) is locked out at once`,
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

/** P 8.4. */
export function addCodes(ctl: Command): void {
  const codes = defineCommand(ctl, 'codes', 'list enrolment codes, with which devices register', [
    'codes',
    'codes create --type camera --uses 20 --expires-in 7d',
    'codes delete 7c1d2f60-...',
  ]).action((options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const list = await api.get<readonly EnrolmentCodeView[]>('/enrolment-codes');
      output.result(list, () => {
        if (list.length === 0) output.line('There are none: srup ctl codes create');
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
    .option('--uses <count>', 'how many devices may use it', '1')
    .option('--expires-in <time>', '12h, 7d...; never unless told')
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
          const made = await api.send<{ secret: string; code: EnrolmentCodeView }>(
            'POST',
            '/enrolment-codes',
            wish,
          );
          output.result(made, () => {
            output.line(made.secret);
            output.note(
              `${uses === '1' ? 'One device' : `${uses} devices`} can register with it. It is shown this once.`,
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

export function addRegistration(ctl: Command): void {
  defineCommand(ctl, 'registration', 'see whether new devices may register; open or close it', [
    'registration',
    'registration close',
  ])
    .addArgument(
      new Argument(
        '[change]',
        'open, or close: no new device for now; those that are registered go on',
      ).choices(['open', 'close']),
    )
    .action((change: string | undefined, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        const now =
          change === undefined
            ? await api.get<{ open: boolean }>('/registration')
            : await api.send<{ open: boolean }>('PUT', '/registration', { open: change === 'open' });
        output.result(now, () => {
          output.line(
            now.open ? 'Registration is open.' : 'Registration is closed: no new device can register.',
          );
        });
        return undefined;
      }),
    );
}

function expiry(expiresIn: string | undefined): { expiresAt?: number } {
  return expiresIn === undefined ? {} : { expiresAt: Date.now() + parseDuration(expiresIn) };
}

function parseUses(text: string): number {
  const uses = Number(text);
  if (Number.isInteger(uses) && uses > 0) return uses;
  throw new UserError(`"${text}" is no number of devices`, 'Write a whole number above 0.');
}

function only<Thing>(found: readonly Thing[], text: string, what: string, list: string): Thing {
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new UserError(
    found.length === 0 ? `there is no ${what} "${text}"` : `${found.length} ${what}s are called "${text}"`,
    `${found.length === 0 ? 'See them all' : 'Name it by its id'}: ${list}`,
  );
}
