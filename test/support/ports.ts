import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those from which the system gives ports to connections: none of them takes it before its owner does. */
const FROM = 15_000;
const TO = 32_000;
const MOST_TRIES = 100;

/** Those of this process: whoever got one may not listen on it yet. */
const given = new Set<number>();

/** A port of this machine that nothing uses now, and that nobody gets by chance. */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(FROM, TO);
    if (given.has(port)) continue;
    given.add(port);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
    }
  }
}
