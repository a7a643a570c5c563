/** Lets a device download from a mirror that only pretends to be the server. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../../support/programs.ts';
import type { Arena, Exchange, Victim } from './arena.ts';
import type { Mirror } from './mirror.ts';

/** Orders an update whose file comes from the mirror; resolves to the token of the exchange. */
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

/** Orders it and waits for its end; resolves to the exchange, with the status byte of a failure. */
export async function loadFrom(
  arena: Arena,
  mirror: Mirror,
  victim: Victim,
  program: Program,
): Promise<Exchange> {
  const token = await orderFrom(arena, mirror, victim, program);
  return arena.phase(victim.id, token, 'staged', 'failed');
}

/** Updates the device from the real server, to show that it still works. */
export async function expectUnharmed(arena: Arena, { id }: Victim, { digest, text }: Program): Promise<void> {
  arena.front?.leadTo(arena.httpsPort);
  await arena.upload(text, digest);
  const token = await arena.command(id, { kind: 'update', digest, activate: true });
  await arena.phase(id, token, 'active');
}

/** The files that failed downloads left behind. */
export function leftovers({ device }: Victim): Promise<string[]> {
  return readdir(join(device.home, 'software', 'downloads'));
}
