import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Columns if the width of the terminal is unknown. */
const DEFAULT_COLUMNS = 80;

export interface Terminal {
  /** Whether a person reads it, with colours and progress. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** The text in this style, or the text alone if the terminal has no colours or NO_COLOR is set. */
  readonly paint: (style: Style, text: string) => string;
}

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  return {
    isTerminal: stream.isTTY,
    columns: stream.isTTY ? stream.columns : DEFAULT_COLUMNS,
    paint: (style, text) => styleText(style, text, { stream }),
  };
}
