import type { FastifyInstance } from 'fastify';
import { FleetError } from '../../api/faults.ts';
import type { artifactOperations } from '../../api/operations/artifacts.ts';
import type { Artifacts } from '../../artifacts/artifacts.ts';
import { callerOf } from '../auth.ts';
import { liftBodyLimit } from '../patience.ts';
import type { Handlers } from '../serve.ts';

/** Gives the routes of this scope the body as a stream. It can have any size, so no parser may collect it. */
export function takeStreams(app: FastifyInstance): void {
  // Those for JSON and text would take their types before the one for all others.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload);
  });
}

/** The store as operators see it; devices fetch from `files.ts`. For a scope with `takeStreams`. */
export function artifactRoutes(artifacts: Artifacts): Handlers<keyof typeof artifactOperations> {
  return {
    uploadArtifact: ({ query, request }) => {
      const content = request.body as AsyncIterable<Uint8Array> | undefined;
      liftBodyLimit(request);
      if (content === undefined) throw new FleetError('empty', 'send the file as the body of the request');
      return artifacts.add({ ...query, content, by: callerOf(request) });
    },
    listArtifacts: ({ query }) => artifacts.list(query),
    getArtifact: async ({ params: { digest } }) => {
      const found = await artifacts.find(digest);
      if (found === undefined) throw notStored();
      return found;
    },
    removeArtifact: async ({ params: { digest }, request }) => {
      if (!(await artifacts.remove(digest, callerOf(request)))) throw notStored();
      return null;
    },
  };
}

function notStored(): FleetError {
  return new FleetError('not-found', 'no such artifact is stored');
}
