import { z } from 'zod';

/** The name of the manifest in a backup. */
export const MANIFEST_FILE = 'manifest.json';
/** The version of the form of a backup. */
export const FORMAT = 1;

/** Names that can't leave the folder they are put in. */
const path = z
  .string()
  .max(255)
  .regex(/^\w[\w.-]*(\/\w[\w.-]*)*$/);

/** What a backup lists of itself. It is the first file in it. */
export const manifest = z.object({
  format: z.literal(FORMAT),
  /** The version of the program that made it. */
  version: z.string(),
  serverId: z.string(),
  /** Milliseconds since 1970. */
  createdAt: z.number().int(),
  files: z
    .array(
      z
        .object({ path, bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
        .readonly(),
    )
    .readonly(),
  /** Whether it was made to hold the artifacts. */
  withArtifacts: z.boolean(),
});

export type Manifest = z.infer<typeof manifest>;
export type FileEntry = Manifest['files'][number];

/** Tells whether a file of this path can be in a backup. */
export function isPackable(name: string): boolean {
  return path.safeParse(name).success;
}

/** The bytes of all files that a backup lists. */
export function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
