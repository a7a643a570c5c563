/** Actions that P 10.5 proposes as standard. Every device has its own table and can know more. */
export const STANDARD_ACTIONS = {
  'low-power-on': 0x01,
  'low-power-off': 0x02,
  'power-off': 0x03,
  reboot: 0x04,
  'self-test': 0x05,
  beacon: 0x06,
  'safe-mode': 0x07,
  'normal-mode': 0x08,
  'self-destruct': 0x09,
} as const;

export type StandardAction = keyof typeof STANDARD_ACTIONS;
