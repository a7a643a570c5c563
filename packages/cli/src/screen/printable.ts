/** Characters that draw nothing, move the cursor or turn the reading direction, and all blanks but the space. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Escapes a text so that it stays on one line and can't control the terminal. Names, identifications, values and errors
 * come from devices and files: an escape sequence in one could hide or forge what an operator reads.
 */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** Writes JSON that can't control a terminal, with the same meaning. `space` is that of JSON.stringify. */
export function printableJson(value: unknown, space = 0): string {
  const text = JSON.stringify(value, undefined, space);
  return text.replace(INVISIBLE, (character) => (character === '\n' ? character : escapeUnits(character)));
}

function escapeUnits(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
