import { describe, expect, it } from 'vitest';
import { eventsOf } from './events.ts';

const data = { at: 1, device: 'b9d0', dataId: 'note', hex: '', value: 'grün 🌱', kind: 'text' };
const event = { seq: 7, at: 1, kind: 'data', data };
const stream = `: SRUP events\n\n:\n\nid: 7\nevent: data\ndata: ${JSON.stringify(event)}\n\n`;

async function read(chunks: readonly Buffer[]): Promise<unknown[]> {
  const events: unknown[] = [];
  async function* arrive() {
    yield* chunks;
  }
  for await (const one of eventsOf(arrive())) events.push(one);
  return events;
}

describe('server-sent events', () => {
  it('reads the same wherever the stream is cut, also within a character', async () => {
    const bytes = Buffer.from(stream);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(await read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual([event]);
    }
  });

  it('takes the line ends that a proxy may have changed', async () => {
    expect(await read([Buffer.from(stream.replaceAll('\n', '\r\n'))])).toEqual([event]);
  });

  it('joins the lines of one event', async () => {
    expect(await read([Buffer.from('data: {"seq":\ndata: 1}\n\n')])).toEqual([{ seq: 1 }]);
  });

  it('drops half an event at the end', async () => {
    expect(await read([Buffer.from(`${stream}data: {"seq":8`)])).toEqual([event]);
  });

  it('holds no more than one long event', async () => {
    const endless = Array.from({ length: 40 }, () => Buffer.alloc(1 << 16, 'x'));
    await expect(read(endless)).rejects.toThrow('an event without an end');
  });
});
