import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Columns where nothing says how wide the terminal is. */
const DEFAULT_COLUMNS = 80;

export interface Terminal {
  /** A person looks at it: colours and progress are wanted. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** The text in this style on a terminal that shows it (NO_COLOR is obeyed), else the text alone. */
  readonly paint: (style: Style, text: string) => string;
}

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  return {
    isTerminal: stream.isTTY,
    columns: stream.isTTY ? stream.columns : DEFAULT_COLUMNS,
    paint: (style, text) => styleText(style, text, { stream }),
  };
}
