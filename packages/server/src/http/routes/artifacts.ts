import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Artifacts } from '../../artifacts/artifacts.ts';
import { callerOf } from '../auth.ts';
import { RequestError } from '../errors.ts';
import { liftBodyLimit } from '../patience.ts';
import { artifactView, digest, pageOf, pageQuery } from '../../api/forms.ts';

const byDigest = z.object({ digest });
const tags = ['artifacts'];

/** The store as operators see it; devices fetch from `files.ts`. */
export function artifactRoutes(artifacts: Artifacts): FastifyPluginAsyncZod {
  return async (app) => {
    // The body is a stream of any size: no parser may collect it.
    // Those for JSON and text would take their types before the one for all others.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => {
      done(null, payload);
    });

    app.put(
      '/artifacts',
      {
        config: { role: 'operator' },
        bodyLimit: Number.MAX_SAFE_INTEGER,
        schema: {
          tags,
          summary: 'Upload a file: the raw bytes as the body',
          consumes: ['application/octet-stream'],
          querystring: z.object({
            name: z.string().trim().min(1).max(200),
            version: z.string().trim().min(1).max(100).optional(),
            digest: digest.optional().describe('refuse the upload unless the file has this digest'),
          }),
          response: { 201: artifactView },
        },
      },
      async (request, reply) => {
        const content = request.body as AsyncIterable<Uint8Array> | undefined;
        liftBodyLimit(request);
        if (content === undefined)
          throw new RequestError(400, 'empty', 'send the file as the body of the request');
        return reply
          .status(201)
          .send(await artifacts.add({ ...request.query, content, by: callerOf(request) }));
      },
    );

    app.get(
      '/artifacts',
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: 'Stored artifacts, newest first',
          querystring: pageQuery.extend({ search: z.string().max(100).optional() }),
          response: { 200: pageOf(artifactView) },
        },
      },
      (request) => artifacts.list(request.query),
    );

    app.get(
      '/artifacts/:digest',
      {
        config: { role: 'viewer' },
        schema: { tags, summary: 'One artifact', params: byDigest, response: { 200: artifactView } },
      },
      async (request) => {
        const found = await artifacts.find(request.params.digest);
        if (found === undefined) throw new RequestError(404, 'not-found', 'no such artifact is stored');
        return found;
      },
    );

    app.delete(
      '/artifacts/:digest',
      {
        config: { role: 'admin' },
        schema: { tags, summary: 'Remove an artifact', params: byDigest, response: { 204: z.null() } },
      },
      async (request, reply) => {
        if (!(await artifacts.remove(request.params.digest, callerOf(request)))) {
          throw new RequestError(404, 'not-found', 'no such artifact is stored');
        }
        return reply.status(204).send(null);
      },
    );
  };
}
