/** Downloads from a mirror that is not what the device takes it for. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../../support/programs.ts';
import type { Arena, Exchange, Victim } from './arena.ts';
import type { Mirror } from './mirror.ts';

/** Orders an update whose file comes from the mirror; the exchange's token. */
export async function orderFrom(
  arena: Arena,
  mirror: Mirror,
  { id }: Victim,
  { digest, text }: Program,
  activate = false,
): Promise<string> {
  arena.front?.leadTo(arena.httpsPort);
  await arena.upload(text, digest);
  arena.front?.leadTo(mirror.port);
  return arena.command(id, { kind: 'update', digest, activate });
}

/** The same to its end; the status byte of the device's answer when it failed. */
export async function loadFrom(
  arena: Arena,
  mirror: Mirror,
  victim: Victim,
  program: Program,
): Promise<Exchange> {
  const token = await orderFrom(arena, mirror, victim, program);
  return arena.phase(victim.id, token, 'staged', 'failed');
}

/** From the real server again: the device is none the worse for what was done to it. */
export async function expectUnharmed(arena: Arena, { id }: Victim, { digest, text }: Program): Promise<void> {
  arena.front?.leadTo(arena.httpsPort);
  await arena.upload(text, digest);
  const token = await arena.command(id, { kind: 'update', digest, activate: true });
  await arena.phase(id, token, 'active');
}

/** What lies about of downloads that did not end well. */
export function leftovers({ device }: Victim): Promise<string[]> {
  return readdir(join(device.home, 'software', 'downloads'));
}
