/** Half a character, as a cut may leave it, has no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** At most `length` UTF-16 units of a text, fit to be encoded. */
export function clip(text: string, length: number): string {
  return text.slice(0, length).replace(LONE_SURROGATE, '\ufffd');
}
