/** The first bytes of a TLS client, read before its handshake begins. */
import type { Socket } from 'node:net';
import type { Delay } from '@srup/node';

/** Milliseconds within which the first byte of a client must arrive. */
const HELLO_MS = 10_000;
/** The most bytes that a client needs to send before it gets an answer: one record of TLS (RFC 8446, 5.1). */
const HELLO_BYTES = 2 ** 14 + 5;

export interface HelloHandlers {
  /** Its first bytes are there. */
  readonly onSaid: () => void;
  /** It has left, or sent nothing in time, or too much. Its connection is closed. */
  readonly onGone: (reason: Error) => void;
}

/**
 * Reads what a client sends, and so notices when it leaves. Call the returned function to stop, before the handshake: it
 * puts back what was read. After that call `onGone` is not called, and after `onGone` that function must not be called.
 *
 * @example
 * const handBack = awaitHello(socket, realDelay, { onSaid: () => begin(handBack()), onGone: report });
 */
export function awaitHello(socket: Socket, delay: Delay, { onSaid, onGone }: HelloHandlers): () => void {
  const said: Buffer[] = [];
  let bytes = 0;
  let reason = new Error('the client left before the TLS handshake began');

  const giveUp = (why: string) => {
    reason = new Error(why);
    socket.destroy();
  };
  const callOff = delay(HELLO_MS, () => {
    giveUp(`the client began no TLS handshake within ${HELLO_MS / 1_000} s`);
  });
  const read = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    said.push(chunk);
    bytes += chunk.length;
    if (bytes > HELLO_BYTES) giveUp('the client sent more than the start of a TLS handshake');
    else if (said.length === 1) {
      callOff();
      onSaid();
    }
  };
  const leave = () => {
    socket.destroy(); // it has closed its side
  };
  const ignore = () => undefined; // the close that follows says it
  const end = () => {
    callOff();
    socket.off('readable', read).off('end', leave).off('error', ignore).off('close', close);
  };
  const close = () => {
    end();
    onGone(reason);
  };
  socket.on('readable', read).on('end', leave).on('error', ignore).on('close', close);
  return () => {
    end();
    socket.unshift(Buffer.concat(said));
  };
}
