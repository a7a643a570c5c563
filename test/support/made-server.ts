/**
 * Starts the server that the sites of a whole run are copies of: making its keys, certificates and login takes longer
 * than all the rest of a start. How a first start goes is tested with `srup up` and `srup start`.
 */
import { MADE_SERVER, makeServer, newGround } from './server.ts';

export async function setup(): Promise<() => Promise<void>> {
  const ground = await newGround();
  await makeServer(ground);
  process.env[MADE_SERVER] = ground.folder;
  return () => ground.clear();
}
