import * as v from 'valibot';
import { command, DAY_SECONDS, seconds } from './forms.ts';

const actionId = v.pipe(v.string(), v.regex(/^[0-9a-f]{2}$/, 'an action id is two lower-case hex digits'));

export const actions = v.strictObject({
  /** Action id (two hex digits) to the command that does it; the built-in table of P 10.5 has what isn't here. */
  commands: v.exactOptional(v.record(actionId, command), {}),
  /** Dangerous built-in actions (03, 09) that this device obeys (P 10.5). */
  allow: v.exactOptional(v.array(actionId), []),
  timeoutSeconds: v.exactOptional(seconds(DAY_SECONDS), 60),
});
