import type { DeviceEffect, DeviceStep } from '../exchange/device-step.ts';
import type { DeviceState, Finished } from '../exchange/device-state.ts';
import type { Moment, Step } from '../exchange/step.ts';
import { initialDevice } from '../exchange/device.ts';
import { createMemory, type KeptMemory } from '../exchange/remembered.ts';
import type { TokenKey } from '../token.ts';

/** Everything that a device stores, as one plain value. */
export interface StoredDevice extends DeviceState {
  readonly finished: Readonly<Record<TokenKey, Finished>>;
}

/** What a device stores before it has ever spoken with its server. */
export const NOTHING_STORED: StoredDevice = { ...initialDevice(), finished: {} };

/** Runs one step on what is stored, and gives what is to be stored then. */
export function stepStored(
  { join, open, finished }: StoredDevice,
  moment: Moment,
  run: (state: DeviceState, memory: KeptMemory) => DeviceStep,
): Step<StoredDevice, DeviceEffect> {
  const memory = createMemory(Object.entries(finished));
  const { finished: over, ...step } = run({ join, open }, memory);
  memory.remember(over, moment);
  return { ...step, state: { ...step.state, finished: Object.fromEntries(memory.entries()) } };
}
