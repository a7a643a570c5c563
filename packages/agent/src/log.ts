/** Where the agent writes what happened; pino's form. Never bodies, keys, nonces, codes. */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}
