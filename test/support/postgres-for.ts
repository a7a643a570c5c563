import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import type { Content, DeskAnswer } from './postgres-desk.ts';

/**
 * A database of its own on the PostgreSQL that all tests of the run share: the URL, as a superuser. `later` takes
 * what drops the database; sessions that are still open are broken off. Needs `postgres` of system-programs.ts.
 *
 * @example
 * describe.skipIf(isMissing('postgres'))('the store', () => {
 *   test('keeps a row', async ({ onTestFinished }) => {
 *     const url = await postgresFor(onTestFinished);
 *   });
 * });
 * // In a fixture: postgresFor(onCleanup). With a ground: postgresFor(ground.later).
 */
export async function postgresFor(
  later: (drop: () => Promise<void>) => unknown,
  content: Content = 'empty',
): Promise<string> {
  const socket = connect(inject('postgresDesk'));
  socket.write(`${content}\n`);
  const closed = once(socket, 'close');
  // An error comes again when the answer is awaited, or else at the end of the run, when the desk has closed.
  closed.catch(() => undefined);
  const [line] = (await Promise.race([once(createInterface(socket), 'line'), closed])) as [unknown];
  const answer = JSON.parse(String(line)) as DeskAnswer;
  if ('problem' in answer) {
    socket.destroy();
    throw new Error(`no PostgreSQL for this test: ${answer.problem}`);
  }
  later(async () => {
    socket.end();
    await closed;
  });
  return answer.url;
}
