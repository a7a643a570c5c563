/** What draws nothing, moves the cursor or turns the reading direction. Spaces are fine, other blanks are not. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * A text on one line that can't steer the terminal: names, identifications, values and errors come from devices and
 * files, and an escape sequence in one could hide or forge what an operator reads.
 */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** JSON that means the same and can't steer a terminal either. `space`: as for JSON.stringify. */
export function printableJson(value: unknown, space = 0): string {
  const text = JSON.stringify(value, undefined, space);
  return text.replace(INVISIBLE, (character) => (character === '\n' ? character : escapeUnits(character)));
}

function escapeUnits(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
