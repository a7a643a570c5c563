import { z } from 'zod';
import { brokerView } from '../forms/broker.ts';
import { alive, readiness } from '../forms/health.ts';
import type { Operation } from './operation.ts';

/** The server itself, as load balancers, service managers, Prometheus and programs see it. */
export const runningOperations = {
  getOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    permission: 'open',
    tag: 'operation',
    summary: 'The description of this API in OpenAPI 3.1',
    answer: z.unknown(),
    isHidden: true,
  },
  getBroker: {
    method: 'GET',
    path: '/broker',
    permission: 'broker.read',
    tag: 'broker',
    summary: 'The MQTT broker, and whether it refuses who was revoked (tried out)',
    answer: brokerView,
  },
  isAlive: {
    method: 'GET',
    path: '/healthz',
    isAtRoot: true,
    permission: 'open',
    tag: 'operation',
    summary: 'Alive: the process answers',
    answer: alive,
  },
  isReady: {
    method: 'GET',
    path: '/readyz',
    isAtRoot: true,
    permission: 'open',
    tag: 'operation',
    summary: 'Ready: the store can be written, and the broker is connected',
    answer: readiness,
    others: { 503: readiness },
  },
  getMetrics: {
    method: 'GET',
    path: '/metrics',
    isAtRoot: true,
    permission: 'metrics.read',
    tag: 'operation',
    summary: 'Metrics in the text form of Prometheus',
    gives: 'text/plain',
  },
} as const satisfies Readonly<Record<string, Operation>>;
