/** Writes live events as lines for people. */
import type { Cell } from '../screen/output.ts';
import { clockTime, shortDigest } from '../screen/words.ts';
import { phaseCell, standingCell } from './cells.ts';
import type { DeviceView, FleetEvent } from './views.ts';

export type Tell = (event: FleetEvent) => readonly Cell[] | undefined;

/** Makes lines of events. A device gets a line when what it has proven changes, not for each of its messages. */
export function createTeller(known: readonly DeviceView[] = []): Tell {
  const devices = new Map(known.map((device) => [device.id, device]));
  const nameOf = (id: string) => devices.get(id)?.name ?? id;
  return (event) => {
    const time: Cell = { text: `${clockTime(event.at)}  `, style: 'dim' };
    switch (event.kind) {
      case 'device': {
        const { device } = event;
        const before = devices.get(device.id);
        devices.set(device.id, device);
        const news = newsOf(before, device);
        return news.length === 0 ? undefined : [time, nameOf(device.id), '  ', ...news];
      }
      case 'exchange': {
        const { change } = event;
        const { kind } = change.exchange;
        // The data has an event of its own.
        if (kind === 'data' && change.exchange.phase === 'received') return undefined;
        return [time, nameOf(change.device), `  ${kind} `, phaseCell(change), `  ${change.explanation}`];
      }
      case 'data':
        return [time, nameOf(event.data.device), `  ${event.data.dataId} = ${event.data.value}`];
      case 'refusal': {
        const { code, claimedSender, topic } = event.refusal;
        return [
          time,
          { text: `refused ${code}`, style: 'red' },
          `  named sender ${claimedSender ?? 'unreadable'}, topic ${topic}`,
        ];
      }
    }
  };
}

function newsOf(before: DeviceView | undefined, now: DeviceView): Cell[] {
  const news: Cell[] = [];
  const add = (cell: Cell) => news.push(news.length === 0 ? '' : ', ', cell);
  if (before?.standing !== now.standing) add(standingCell(now.standing));
  if (now.running !== undefined && before?.running?.digest !== now.running.digest)
    add(`runs ${shortDigest(now.running.digest)} (proven)`);
  if (before !== undefined && before.name !== now.name) add(`is now called ${now.name ?? 'nothing'}`);
  if (before !== undefined && before.identification !== now.identification)
    add(`says it is ${now.identification ?? 'nothing'}`);
  return news;
}
