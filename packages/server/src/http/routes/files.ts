import { createReadStream } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Artifacts } from '../../artifacts/artifacts.ts';

interface Span {
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
}

const ONE_RANGE = /^bytes=(\d*)-(\d*)$/;

/**
 * Serves artifacts to devices (P 10.2). The name is the SHA-256 of the content: it is a strong ETag, it never changes,
 * and whoever does not know it finds nothing.
 */
export function serveFiles(app: FastifyInstance, artifacts: Artifacts): void {
  app.get<{ Params: { digest: string } }>(
    '/artifacts/:digest',
    { exposeHeadRoute: true },
    async (request, reply) => {
      const { digest } = request.params;
      const file = await artifacts.file(digest);
      if (file === undefined) {
        return reply.status(404).send({ error: 'not-found', message: 'no artifact has this digest' });
      }
      const etag = `"${digest}"`;
      void reply.headers({
        etag,
        'accept-ranges': 'bytes',
        'content-type': 'application/octet-stream',
        'cache-control': 'private, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
      });
      if (request.headers['if-none-match'] === etag) return reply.status(304).send();
      const span = wantedSpan(request.headers.range, request.headers['if-range'], etag, file.bytes);
      if (span === 'unsatisfiable') {
        return reply.status(416).header('content-range', `bytes */${file.bytes}`).send();
      }
      const { start, end } = span ?? { start: 0, end: file.bytes - 1 };
      if (span !== undefined)
        void reply.status(206).header('content-range', `bytes ${start}-${end}/${file.bytes}`);
      void reply.header('content-length', end - start + 1);
      return reply.send(createReadStream(file.path, { start, end }));
    },
  );
}

/** Undefined stands for the whole file, also when the Range has a form that we need not honour (RFC 9110, 14.2). */
function wantedSpan(
  range: string | undefined,
  ifRange: string | string[] | undefined,
  etag: string,
  bytes: number,
): Span | 'unsatisfiable' | undefined {
  const match = ONE_RANGE.exec(range ?? '');
  if (match === null || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  return start > end || start >= bytes ? 'unsatisfiable' : { start, end };
}
