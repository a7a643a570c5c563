// Seeded and manual ports: randomness, time, keys.
export * from './random.ts';
export * from './clock.ts';
export * from './timeline.ts';
export * from './keys.ts';

// Messages: random ones, fresh ones, and checks of plain states.
export * from './random-message.ts';
export * from './fresh.ts';
export * from './plain.ts';

// One end: alone, scripted by a test, or simulated with crashes.
export * from './solo.ts';
export * from './stored-device.ts';
export * from './scripted-peer.ts';
export * from './end.ts';
export * from './device-end.ts';
export * from './server-end.ts';

// Both ends over a hostile network, over many seeds.
export * from './link.ts';
export * from './attacker.ts';
export * from './conversation.ts';
export * from './seeds.ts';
