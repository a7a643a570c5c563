import type { Command } from 'commander';
import type { ArtifactView } from '../../client/views.ts';
import { UserError } from '../../user-error.ts';
import { segment } from '../../client/api.ts';
import { findArtifact } from '../../client/find.ts';
import { confirmTyped } from '../../screen/prompts.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import { digestOf, localFile, upload } from './upload.ts';
import { byteCount, NOTHING, relativeTime, shortDigest } from '../../screen/words.ts';

interface UploadOptions extends CommonOptions {
  readonly name?: string;
  // Not --version: that prints the version of srup.
  readonly version?: string;
}

export function addArtifacts(ctl: Command): void {
  defineCommand(ctl, 'upload <file>', 'store a file on the server, by its SHA-256', [
    'upload build/pump.tar.gz --version 2.1.0',
    'upload v2.mjs --name pump-control --json',
  ])
    .option('--name <name>', 'what to call it; the name of the file unless told')
    .option('--version <version>', 'which version of it this is')
    .action((path: string, { name, version, ...options }: UploadOptions) =>
      withSession(options, async ({ api, output }) => {
        const file = await localFile(path);
        if (file === undefined) throw new UserError(`there is no file ${path}`, 'Check the path.');
        const artifact = await upload(api, file, await digestOf(file), { name, version });
        output.result(artifact, () => {
          output.line(`${artifact.digest}  ${artifact.name}  ${byteCount(artifact.bytes)}`);
        });
        return undefined;
      }),
    );

  defineCommand(ctl, 'artifacts', 'list stored files, newest first', [
    'artifacts',
    'artifacts --search pump --json',
  ])
    .option('--search <text>', 'part of name, version or digest')
    .action(({ search, ...options }: CommonOptions & { readonly search?: string }) =>
      withSession(options, async ({ api, output }) => {
        const artifacts = await api.list<ArtifactView>('/artifacts', { search });
        output.result(artifacts, () => {
          if (artifacts.length === 0) {
            output.line(
              search === undefined
                ? 'Nothing is stored yet: srup ctl upload FILE'
                : 'Nothing stored is like that.',
            );
            return;
          }
          output.table(
            ['DIGEST', 'NAME', 'VERSION', 'SIZE', 'UPLOADED'],
            artifacts.map(({ digest, name, version, bytes, uploadedAt }) => [
              shortDigest(digest),
              name,
              version ?? NOTHING,
              byteCount(bytes),
              relativeTime(uploadedAt),
            ]),
          );
        });
        return undefined;
      }),
    );

  defineCommand(
    ctl,
    'delete-artifact <digest>',
    'remove a stored file; devices that run it keep running it',
    ['delete-artifact 3f9a52c0d1e7 --yes'],
  )
    .option('--yes', 'do not ask')
    .action((text: string, { yes, ...options }: CommonOptions & { readonly yes?: true }) =>
      withSession(options, async ({ api, output }) => {
        const artifact = await findArtifact(api, text);
        const short = shortDigest(artifact.digest);
        await confirmTyped(
          `${artifact.name} (${short}) can't be fetched by devices any more`,
          short,
          yes === true,
        );
        await api.send('DELETE', `/artifacts/${segment(artifact.digest)}`);
        output.result(artifact, () => {
          output.line(`Removed ${artifact.name} (${short})`);
        });
        return undefined;
      }),
    );
}
