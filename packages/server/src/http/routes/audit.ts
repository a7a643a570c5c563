import { Readable } from 'node:stream';
import type { Trail } from '../../audit/trail.ts';
import type { Handlers } from '../serve.ts';

export function auditRoutes(
  trail: Trail,
): Handlers<'searchAudit' | 'getAuditStatus' | 'exportAudit' | 'signAudit'> {
  return {
    searchAudit: ({ query }) => trail.search(query),
    getAuditStatus: () => trail.status(),
    exportAudit: ({ query, reply }) => {
      void reply.header('cache-control', 'no-store');
      return Readable.from(trail.export(query));
    },
    signAudit: () => trail.checkpoint(),
  };
}
