import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from './user-error.ts';

/** Checks that a folder is the right one: throws `UserError` unless it holds `file`. `what` names its owner, `flag` its option. */
export async function mustHold(folder: string, file: string, what: string, flag: string): Promise<void> {
  await access(join(folder, file)).catch((fault: unknown) => {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new UserError(`there is no ${what} in ${folder}`, `Name its folder with ${flag}.`);
    throw new UserError(
      `${folder} can't be read (${code ?? 'unknown reason'})`,
      `Run this as the user of the ${what}.`,
    );
  });
}
