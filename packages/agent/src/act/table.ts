import { STANDARD_ACTIONS } from '@srup/protocol';

export const SELF_TEST = STANDARD_ACTIONS['self-test'];
export const REBOOT = STANDARD_ACTIONS.reboot;
export const SELF_DESTRUCT = STANDARD_ACTIONS['self-destruct'];

/** Nobody can undo these from afar, so a device obeys them only if its own configuration says so (P 10.5). */
const DANGEROUS: ReadonlySet<number> = new Set([STANDARD_ACTIONS['power-off'], SELF_DESTRUCT]);

export const isDangerous = (actionId: number): boolean => DANGEROUS.has(actionId);

/** Writes an id as the configuration does: two lower-case hex digits. */
export const actionName = (actionId: number): string => actionId.toString(16).padStart(2, '0');
