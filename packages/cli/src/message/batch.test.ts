import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { answerRequests } from './batch.ts';

async function* asInput(text: string): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield Buffer.from(text);
}

describe('a batch', () => {
  afterEach(() => {
    process.exitCode = undefined;
  });

  it('goes on after a fault of its own, and exits 3', async () => {
    let text = '';
    const output = new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        text += chunk;
        done();
      },
    });
    const input = asInput('{"id":1,"a":"now"}\n{"id":2,"a":"later"}\n{"id":3}\n');
    await answerRequests(input, output, new Set(['id', 'a']), ({ a }) => {
      if (a === 'now') throw new Error('a bug');
      return a === 'later' ? Promise.reject(new Error('a late bug')) : { ok: true };
    });
    const answers = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(answers).toEqual([
      { id: 1, ok: false, code: 'UNEXPECTED', message: 'This is a fault of srup itself: a bug.' },
      { id: 2, ok: false, code: 'UNEXPECTED', message: 'This is a fault of srup itself: a late bug.' },
      { id: 3, ok: true },
    ]);
    expect(process.exitCode).toBe(4);
  });
});
