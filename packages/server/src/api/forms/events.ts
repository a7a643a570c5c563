import { z } from 'zod';
import { instant, type View } from './basics.ts';
import { deviceView } from './devices.ts';
import { exchangeView } from './exchanges.ts';
import { dataView, refusalView } from './messages.ts';

const place = { seq: z.number().int(), at: instant };

export const fleetEvent = z
  .discriminatedUnion('kind', [
    z.object({ ...place, kind: z.literal('device'), device: deviceView }),
    z.object({ ...place, kind: z.literal('exchange'), change: exchangeView }),
    z.object({ ...place, kind: z.literal('data'), data: dataView }),
    z.object({ ...place, kind: z.literal('refusal'), refusal: refusalView }),
  ])
  .meta({ id: 'Event' });
/** Something that happened. `seq` grows with each event; the live stream carries them in this order. */
export type FleetEvent = View<z.infer<typeof fleetEvent>>;

export const eventQuery = z.object({ since: z.coerce.number().int().min(0).optional() });
