import { join } from 'node:path';

/** The agent's folder (0700). Everything in it belongs to the agent; files are 0600. */
export interface Home {
  readonly folder: string;
  /** Configuration, written at the first start. */
  readonly config: string;
  /** Who the device is: id, server, suite. */
  readonly identity: string;
  /** Key pairs and certificates, PEM. */
  readonly keys: string;
  /** How far an enrolment got; gone when it is done. */
  readonly enrolment: string;
  /** Says that this device was deregistered and does not enrol by itself (P 10.8). */
  readonly left: string;
  /** The journal of the conversation's state is in it. */
  readonly state: string;
  /** Slots, staged files, downloads: the performers' own. */
  readonly software: string;
  /** The owner's deferral of updates (P 10.11). */
  readonly deferral: string;
  /** Unix socket for `srup agent status` and its sisters. */
  readonly socket: string;
}

export function homeAt(folder: string): Home {
  return {
    folder,
    config: join(folder, 'agent.json'),
    identity: join(folder, 'identity.json'),
    keys: join(folder, 'keys'),
    enrolment: join(folder, 'enrolment.json'),
    left: join(folder, 'left.json'),
    state: join(folder, 'state'),
    software: join(folder, 'software'),
    deferral: join(folder, 'put-off.json'),
    socket: join(folder, 'agent.sock'),
  };
}
