import type { Socket } from 'node:net';
import { MAX_MESSAGE_BYTES } from '@srup/protocol';

/** Bytes of one MQTT packet: the longest SRUP message with its topic, or a SUBSCRIBE with some hundred filters. */
export const MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 4_096;

const LENGTH_BYTES = 4;

/**
 * Ends the connection when a packet is longer than `MAX_PACKET_BYTES`. It measures before aedes collects the packet:
 * aedes takes bytes with `read`.
 */
export function limitPackets(socket: Socket, onTooLarge: () => void): void {
  const isWithin = createPacketMeter();
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!(chunk instanceof Uint8Array) || isWithin(chunk)) return chunk;
    onTooLarge();
    socket.destroy();
    return null;
  };
}

/**
 * Follows the packets in a stream of bytes, and finds one that is longer than the limit by the length in its header:
 * before the parser begins to collect it, which it would do up to 256 MiB. The returned function takes the next bytes
 * and returns false when a packet is too long, or has no valid header.
 */
export function createPacketMeter(limit = MAX_PACKET_BYTES): (chunk: Uint8Array) => boolean {
  /** Bytes of the current packet's body that are still to come. */
  let body = 0;
  /** Bytes of the current header that were read; 0 before the first. */
  let header = 0;
  let length = 0;

  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (body > 0) {
        const step = Math.min(body, chunk.length - at);
        body -= step;
        at += step;
        continue;
      }
      const byte = chunk[at] as number;
      at += 1;
      if (header > 0) {
        length += (byte & 0x7f) * 128 ** (header - 1);
        if (length > limit || header > LENGTH_BYTES) return false;
      }
      header += 1;
      if (header > 1 && byte < 0x80) {
        body = length;
        header = 0;
        length = 0;
      }
    }
    return true;
  };
}
