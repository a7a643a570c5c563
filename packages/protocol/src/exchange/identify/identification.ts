import { readText } from '../../wire/text.ts';
import { clip } from '../clip.ts';

/** Id of the DATA that answers an ID_REQUEST (P 10.7). */
export const IDENTIFICATION_DATA_ID = 'IDENTIFICATION_RESPONSE';
/** Characters of an identification that are kept. */
export const MAX_IDENTIFICATION_LENGTH = 1000;

const OURS = 'srup-agent/';

/** Does a peer that so names itself confirm ACTION, ACTIVATE, RESIGN and DEREGISTER (P 10.7)? */
export function confirmsCommands(identification: string): boolean {
  return identification.startsWith(OURS);
}

/** Undefined when the bytes are no text. */
export function readIdentification(data: Uint8Array): string | undefined {
  const text = readText(data);
  return text === undefined ? undefined : clip(text, MAX_IDENTIFICATION_LENGTH);
}

const AGENT_RUNS = /^srup-agent\/\S+ \([^()]*\) [a-z]+ ([0-9a-f]{64})$/;

/** SHA-256 of the software that an agent of ours says it runs; undefined: it says none. */
export function runningDigest(identification: string): string | undefined {
  return AGENT_RUNS.exec(identification)?.[1];
}
