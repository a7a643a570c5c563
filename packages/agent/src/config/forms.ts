/** The forms of single values. */
import { isAbsolute } from 'node:path';
import * as v from 'valibot';

export const DAY_SECONDS = 86_400;
export const MIB = 2 ** 20;

export const text = v.pipe(v.string(), v.minLength(1));
/** Program and arguments, started without a shell. */
export const command = v.pipe(v.array(text), v.minLength(1));
export const seconds = (most: number) => v.pipe(v.number(), v.minValue(0), v.maxValue(most));
export const count = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
export const bytes = count(1, Number.MAX_SAFE_INTEGER);
export const url = v.pipe(v.string(), v.url());
export const path = v.pipe(text, v.check(isAbsolute, 'must be an absolute path'));
