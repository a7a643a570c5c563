import type { Lanes, Log } from '@srup/node';
import type { Clock, Identity, Random } from '@srup/protocol';
import type { JoinPolicies } from '../joindesk/policies.ts';
import type { Meter } from '../metrics/meter.ts';
import type { Records } from '../peers/records.ts';
import type { Store } from '../store/port.ts';
import type { Save } from './save.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** What a turn uses. A turn takes one input of one owner, from what is known to what is committed. */
export interface TurnPorts {
  readonly serverId: Identity;
  readonly store: Store<CoreTables>;
  readonly records: Records;
  readonly policies: Pick<JoinPolicies, 'verdictFor'>;
  readonly lanes: Lanes;
  readonly save: Save;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  /** Never gets bodies, keys or nonces, and of a token only the first characters. */
  readonly log: Log;
}
