import { readText } from '../../wire/text.ts';
import { clip } from '../clip.ts';

/** Id of the DATA that answers an ID_REQUEST (P 10.7). */
export const IDENTIFICATION_DATA_ID = 'IDENTIFICATION_RESPONSE';
/** Characters of an identification that the server keeps. */
export const MAX_IDENTIFICATION_LENGTH = 1000;

const OURS = 'srup-agent/';

/**
 * Tells whether a peer that identifies itself so confirms ACTION, ACTIVATE, RESIGN and DEREGISTER (P 10.7).
 *
 * @example
 * confirmsCommands('srup-agent/0.1.0 (linux)'); // true
 */
export function confirmsCommands(identification: string): boolean {
  return identification.startsWith(OURS);
}

/** The text of an identification; undefined if the bytes are not text. */
export function readIdentification(data: Uint8Array): string | undefined {
  const text = readText(data);
  return text === undefined ? undefined : clip(text, MAX_IDENTIFICATION_LENGTH);
}

const AGENT_RUNS = /^srup-agent\/\S+ \([^()]*\) [a-z]+ ([0-9a-f]{64})$/;

/** The SHA-256 of the software that one of our agents says it runs; undefined if it says none. */
export function runningDigest(identification: string): string | undefined {
  return AGENT_RUNS.exec(identification)?.[1];
}
