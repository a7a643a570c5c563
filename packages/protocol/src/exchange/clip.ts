/** A cut can leave half a character, which has no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Cuts a text to at most `length` UTF-16 units that can be encoded. */
export function clip(text: string, length: number): string {
  return text.slice(0, length).replace(LONE_SURROGATE, '\ufffd');
}
