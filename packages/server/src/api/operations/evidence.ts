import { auditEntryView, auditQuery, auditStatus, checkpointView, exportQuery } from '../forms/audit.ts';
import { eventQuery, fleetEvent } from '../forms/events.ts';
import { refusalCounts, refusalView } from '../forms/messages.ts';
import { pageOf, pageQuery } from '../forms/pages.ts';
import type { Operation } from './operation.ts';

/** Whoever may see the fleet may also see what was done to it, and take the proof away. */
export const evidenceOperations = {
  searchAudit: {
    method: 'GET',
    path: '/audit',
    permission: 'audit.read',
    tag: 'audit',
    summary: 'Entries of the audit trail, newest first',
    description: 'A page may have fewer rows than asked for, and yet a `next` one.',
    query: auditQuery,
    answer: pageOf(auditEntryView),
  },
  getAuditStatus: {
    method: 'GET',
    path: '/audit/status',
    permission: 'audit.read',
    tag: 'audit',
    summary: 'How far the trail is signed and witnessed',
    answer: auditStatus,
  },
  exportAudit: {
    method: 'GET',
    path: '/audit/export',
    permission: 'audit.read',
    tag: 'audit',
    summary: 'The history as JSON lines, for "srup verify": docs/audit.md has the format',
    description:
      'Of what is not chosen the hashes are there, so that the chain can be checked to its beginning.',
    query: exportQuery,
    gives: 'application/x-ndjson',
  },
  signAudit: {
    method: 'POST',
    path: '/audit/checkpoints',
    permission: 'audit.sign',
    tag: 'audit',
    summary: 'Sign the trail now, and hand it to the witnesses',
    answer: checkpointView,
  },
  listRefusals: {
    method: 'GET',
    path: '/refusals',
    permission: 'refusals.read',
    tag: 'security',
    summary: 'Messages that were refused, newest first',
    query: pageQuery,
    answer: pageOf(refusalView),
  },
  countRefusals: {
    method: 'GET',
    path: '/refusals/counts',
    permission: 'refusals.read',
    tag: 'security',
    summary: 'How many messages were refused, by code, since the server was set up',
    answer: refusalCounts,
  },
  followEvents: {
    method: 'GET',
    path: '/events',
    permission: 'events.read',
    tag: 'events',
    summary: 'What happens, live, as server-sent events; Last-Event-ID or ?since continues after a break',
    query: eventQuery,
    gives: 'text/event-stream',
    events: fleetEvent,
  },
} as const satisfies Readonly<Record<string, Operation>>;
