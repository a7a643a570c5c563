/** Every limit of the wire, with its unit. */

/** Bytes of one message on a transport (P 2.4). */
export const MAX_MESSAGE_BYTES = 65_535;
/** Bytes of a token that we accept from others (P 6.1). */
export const MAX_TOKEN_BYTES = 255;
/** Bytes that a `var` field can have at most: its length has two bytes (P 2.2). */
export const MAX_VAR_BYTES = 65_535;
/** Numbers below the highest accepted one that are still told apart one by one (P 5.2). */
export const REPLAY_WINDOW = 64;
/** Largest step above the highest accepted, outside a join (P 5.2). */
export const MAX_SEQUENCE_JUMP = 1n << 32n;
/** Largest sequence id and identity. */
export const MAX_U64 = (1n << 64n) - 1n;
