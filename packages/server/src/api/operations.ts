/** Every operation of the HTTP API: routes, OpenAPI, documents and the types of clients are made from this table. */
import { accessOperations } from './operations/access.ts';
import { artifactOperations } from './operations/artifacts.ts';
import { deviceOperations } from './operations/devices.ts';
import { evidenceOperations } from './operations/evidence.ts';
import { orderOperations } from './operations/orders.ts';
import { runningOperations } from './operations/running.ts';

/** Where all operations are that are not at the root of the server. */
export const API_PREFIX = '/api/v1';

export const OPERATIONS = {
  ...accessOperations,
  ...deviceOperations,
  ...orderOperations,
  ...artifactOperations,
  ...evidenceOperations,
  ...runningOperations,
};

export type Operations = typeof OPERATIONS;
export type OperationName = keyof Operations;
