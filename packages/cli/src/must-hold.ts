import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from './user-error.ts';

/** Is this the folder that was meant? `UserError` unless `file` is in it. `what`: whose folder; `flag`: its option. */
export async function mustHold(folder: string, file: string, what: string, flag: string): Promise<void> {
  await access(join(folder, file)).catch((fault: unknown) => {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UserError(`${folder} holds no ${what}`, `Name its folder with ${flag}.`);
    throw new UserError(
      `${folder} can't be read (${code ?? 'unknown reason'})`,
      `Run this as the user of the ${what}.`,
    );
  });
}
