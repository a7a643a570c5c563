/** Answers lines in order, in constant memory for any length of input, and promptly for a slow one. */
import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';

/** The longest input line in characters: several times the longest message in hex, with its keys. */
export const MAX_LINE_CHARACTERS = 4 << 20;

/** A line and its number from 1; undefined for a line that was too long to keep. */
export type Work = (line: string | undefined, number: number) => string | Promise<string>;

/**
 * Answers each line. It works on the lines of one chunk together, so that slow answers (signatures) overlap, and reads
 * no more until the reader of `output` has taken them.
 */
export async function answerLines(
  input: AsyncIterable<Buffer | string>,
  output: NodeJS.WritableStream,
  work: Work,
): Promise<void> {
  let number = 0;
  for await (const lines of linesOf(input)) {
    const answers = lines.flatMap((line) => {
      number += 1;
      return line?.trim() === '' ? [] : [Promise.resolve(work(line, number))];
    });
    const text = (await Promise.all(answers)).map((answer) => `${answer}\n`).join('');
    if (text !== '' && !output.write(text)) await once(output, 'drain');
  }
}

/** The lines that each chunk completes. */
async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncGenerator<(string | undefined)[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let isTooLong = false;
  const complete = (line: string): string | undefined => {
    const wasTooLong = isTooLong || line.length > MAX_LINE_CHARACTERS;
    isTooLong = false;
    return wasTooLong ? undefined : line;
  };
  for await (const chunk of input) {
    const parts = (rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
    rest = parts.pop() as string;
    yield parts.map(complete);
    if (rest.length > MAX_LINE_CHARACTERS) {
      isTooLong = true;
      rest = ''; // what follows up to the line's end is dropped with it
    }
  }
  yield [complete(rest + decoder.end())];
}
