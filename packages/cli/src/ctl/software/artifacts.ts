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
  readonly version?: string;
}

export function addArtifacts(ctl: Command): void {
  defineCommand(ctl, 'upload <file>', 'store a file on the server as an artifact, named by its SHA-256', [
    'upload build/pump.tar.gz --version 2.1.0',
    'upload v2.mjs --name pump-control --json',
  ])
    .option('--name <name>', 'name of the artifact (default: the name of the file)')
    .option('--version <version>', 'version of the artifact')
    .action((path: string, { name, version, ...options }: UploadOptions) =>
      withSession(options, async ({ api, output }) => {
        const file = await localFile(path);
        if (file === undefined) throw new UserError(`${path} does not exist`, 'Check the path.');
        const artifact = await upload(api, file, await digestOf(file), { name, version });
        output.result(artifact, () => {
          output.line(`${artifact.digest}  ${artifact.name}  ${byteCount(artifact.bytes)}`);
        });
        return undefined;
      }),
    );

  defineCommand(ctl, 'artifacts', 'list stored artifacts, newest first', [
    'artifacts',
    'artifacts --search pump --json',
  ])
    .option('--search <text>', 'only artifacts with this text in name, version or digest')
    .action(({ search, ...options }: CommonOptions & { readonly search?: string }) =>
      withSession(options, async ({ api, output }) => {
        const artifacts = await api.list<ArtifactView>('/artifacts', { search });
        output.result(artifacts, () => {
          if (artifacts.length === 0) {
            output.line(
              search === undefined
                ? 'No artifact is stored yet: srup ctl upload FILE'
                : 'No artifact matches.',
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

  defineCommand(ctl, 'delete-artifact <digest>', 'delete an artifact; devices that run it keep running it', [
    'delete-artifact 3f9a52c0d1e7 --yes',
  ])
    .option('--yes', 'do not ask')
    .action((text: string, { yes, ...options }: CommonOptions & { readonly yes?: true }) =>
      withSession(options, async ({ api, output }) => {
        const artifact = await findArtifact(api, text);
        const short = shortDigest(artifact.digest);
        await confirmTyped(
          `Devices will no longer be able to fetch ${artifact.name} (${short})`,
          short,
          yes === true,
        );
        await api.send('DELETE', `/artifacts/${segment(artifact.digest)}`);
        output.result(artifact, () => {
          output.line(`Deleted ${artifact.name} (${short})`);
        });
        return undefined;
      }),
    );
}
