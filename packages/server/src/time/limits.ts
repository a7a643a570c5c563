/** Nothing waits longer than this, in milliseconds. What seems to was begun before the clock was set back. */
export const LONGEST_WAIT_MS = 8 * 24 * 60 * 60 * 1000;
