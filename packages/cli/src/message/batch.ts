/** Answers requests that come as JSON lines, whatever is in them. */
import { EXIT } from '../user-error.ts';
import { toLine, type Answer } from './answer.ts';
import { answerLines, MAX_LINE_CHARACTERS } from './lines.ts';
import { InputFault, parseRequest, type Request, type RequestId } from './request.ts';

export function answerRequests(
  input: AsyncIterable<Buffer>,
  output: NodeJS.WritableStream,
  known: ReadonlySet<string>,
  answer: (request: Request) => Answer | Promise<Answer>,
): Promise<void> {
  return answerLines(input, output, (line, number) => {
    let id: RequestId | undefined;
    const failed = (error: unknown): string => toLine(failure(error, id, number));
    try {
      if (line === undefined) throw tooLong();
      const request = parseRequest(line, known, (value) => (id = value));
      const made = answer(request);
      if (!(made instanceof Promise)) return toLine({ id, ...made });
      return made.then((value) => toLine({ id, ...value }), failed);
    } catch (error) {
      return failed(error);
    }
  });
}

function tooLong(): InputFault {
  return new InputFault('INPUT_LONG', `The line is longer than ${MAX_LINE_CHARACTERS} characters.`);
}

/** An answer without an id names its line instead. */
function failure(error: unknown, id: RequestId | undefined, line: number): Answer & { line?: number } {
  const named = id === undefined ? { line } : { id };
  if (error instanceof InputFault) return { ...named, ok: false, code: error.code, message: error.message };
  // A fault of srup in one line must not cost the other lines their answers.
  process.exitCode = EXIT.fault;
  const what = error instanceof Error ? error.message : String(error);
  return { ...named, ok: false, code: 'UNEXPECTED', message: `This is a fault of srup itself: ${what}.` };
}
