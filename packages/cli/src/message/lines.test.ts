import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { answerLines, MAX_LINE_CHARACTERS, type Work } from './lines.ts';

/** Keeps what is written, and says "full" until it is let go. */
class Gate extends Writable {
  written = '';
  private release: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.written += chunk;
    this.release = done;
  }

  letGo(): void {
    this.release?.();
  }
}

async function answered(chunks: readonly (string | Buffer)[], work: Work = shout): Promise<string> {
  let text = '';
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk;
      done();
    },
  });
  await answerLines(asInput(chunks), output, work);
  return text;
}

async function* asInput(chunks: readonly (string | Buffer)[]): AsyncGenerator<string | Buffer> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

function shout(line: string | undefined, number: number): string {
  return `${number}:${line?.toUpperCase() ?? 'too long'}`;
}

describe('answerLines', () => {
  it('puts lines together from chunks cut anywhere, in characters too', async () => {
    const bytes = Buffer.from('é1\nü2\n');
    const chunks = Array.from(bytes, (byte) => Buffer.of(byte));
    expect(await answered(chunks)).toBe('1:É1\n2:Ü2\n');
  });

  it('answers a last line without an end, and no blank ones, but counts them', async () => {
    expect(await answered(['a\n\n  \nb'])).toBe('1:A\n4:B\n');
    expect(await answered([])).toBe('');
  });

  it('keeps the order when later answers are ready first', async () => {
    const waiting: ((text: string) => void)[] = [];
    const work = (line: string | undefined): Promise<string> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (line === 'c')
          ['A', 'B', 'C'].reverse().forEach((text, at) => {
            waiting[2 - at]!(text);
          });
      });
    expect(await answered(['a\nb\nc\n'], work)).toBe('A\nB\nC\n');
  });

  it('hands a line over the limit on as too long, whether it comes in one piece or many', async () => {
    const long = 'x'.repeat(MAX_LINE_CHARACTERS + 1);
    expect(await answered([`${long}\nb\n`])).toBe('1:too long\n2:B\n');
    const pieces = Array.from({ length: 10 }, () => 'x'.repeat(MAX_LINE_CHARACTERS / 4));
    expect(await answered([...pieces, '\nb\n'])).toBe('1:too long\n2:B\n');
    expect(await answered(pieces)).toBe('1:too long\n');
  });

  it('reads no further while nobody takes the answers', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<string> {
      while (read < 3) {
        read += 1;
        await Promise.resolve();
        yield `line ${read}\n`;
      }
    }
    const gate = new Gate();
    const done = answerLines(endless(), gate, shout);
    for (const expected of [1, 2, 3]) {
      while (gate.written.split('\n').length - 1 < expected) await new Promise(setImmediate);
      // Everything that could run without the reader has run.
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      expect(read).toBe(expected);
      gate.letGo();
    }
    await done;
    expect(gate.written).toBe('1:LINE 1\n2:LINE 2\n3:LINE 3\n');
  });
});
