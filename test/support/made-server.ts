/**
 * Makes the server of which all sites of a run are copies, as making keys, certificates and the login takes longer than
 * the rest of a start. The tests of `srup up` and `srup start` cover the first start.
 */
import { MADE_SERVER, makeServer, newGround } from './server.ts';

export async function setup(): Promise<() => Promise<void>> {
  const ground = await newGround();
  await makeServer(ground);
  process.env[MADE_SERVER] = ground.folder;
  return () => ground.clear();
}
