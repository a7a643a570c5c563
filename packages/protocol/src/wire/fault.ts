import type { WireCode } from '../faults.ts';

/** Thrown only inside `wire`, `message` and `inspect`. `decode` and its like turn it into a `Rejected`. */
export class WireFault extends Error {
  override readonly name = 'WireFault';
  readonly code: WireCode;
  readonly offset: number;

  constructor(code: WireCode, offset: number) {
    super(`${code} at byte ${offset}`);
    this.code = code;
    this.offset = offset;
  }
}
