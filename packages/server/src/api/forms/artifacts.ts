import { z } from 'zod';
import { digest, instant, type View } from './basics.ts';
import { pageQuery } from './pages.ts';

export const byDigest = z.object({ digest });

export const artifactView = z
  .object({
    digest,
    bytes: z.number(),
    name: z.string(),
    version: z.string().optional(),
    uploadedAt: instant,
  })
  .meta({ id: 'Artifact' });
/** A stored file. `digest` is its SHA-256, and also its name in the store and in the URL. */
export type ArtifactView = View<z.infer<typeof artifactView>>;

export const artifactQuery = pageQuery.extend({ search: z.string().max(100).optional() });
export type ArtifactQuery = Readonly<z.infer<typeof artifactQuery>>;

export const uploadQuery = z.object({
  name: z.string().trim().min(1).max(200),
  version: z.string().trim().min(1).max(100).optional(),
  digest: digest.optional().describe('refuse the upload unless the file has this digest'),
});
