/** Actions that P 10.5 proposes as standard, by id. */
export const ACTION = {
  LOW_POWER_ON: 0x01,
  LOW_POWER_OFF: 0x02,
  POWER_OFF: 0x03,
  REBOOT: 0x04,
  SELF_TEST: 0x05,
  BEACON_MODE: 0x06,
  SAFE_MODE: 0x07,
  NORMAL_MODE: 0x08,
  SELF_DESTRUCT: 0x09,
} as const;

/** What can't be undone from afar: obeyed only where the device's own configuration says so (P 10.5). */
const DANGEROUS: ReadonlySet<number> = new Set([ACTION.POWER_OFF, ACTION.SELF_DESTRUCT]);

/** After these the device may not be able to answer: they are done once the answer has left. */
const LAST: ReadonlySet<number> = new Set([ACTION.POWER_OFF, ACTION.REBOOT, ACTION.SELF_DESTRUCT]);

export const isDangerous = (actionId: number): boolean => DANGEROUS.has(actionId);
export const endsDevice = (actionId: number): boolean => LAST.has(actionId);

/** An id as the configuration writes it: two lower-case hex digits. */
export const actionName = (actionId: number): string => actionId.toString(16).padStart(2, '0');
