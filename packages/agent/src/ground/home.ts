import { join } from 'node:path';

/** The agent's folder (0700). Everything in it belongs to the agent. Its files are 0600. */
export interface Home {
  readonly folder: string;
  /** Configuration, written at the first start. */
  readonly config: string;
  /** Who the device is: id, server, suite. */
  readonly identity: string;
  /** Key pairs and certificates, PEM. */
  readonly keys: string;
  /** How far an enrolment got; removed when it is done. */
  readonly enrolment: string;
  /** There when this device was deregistered and does not enrol by itself (P 10.8). */
  readonly left: string;
  /** Folder of the journal with the state of all conversations. */
  readonly state: string;
  /** Folder of the performers: slots, staged files, downloads. */
  readonly software: string;
  /** The owner's deferral of updates (P 10.11). */
  readonly deferral: string;
  /** Unix socket for `srup agent status` and the like. */
  readonly socket: string;
}

/**
 * The paths in an agent's folder. Nothing is read.
 *
 * @example
 * homeAt('./pump').socket; // 'pump/agent.sock'
 */
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
