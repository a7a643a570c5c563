import { rm } from 'node:fs/promises';
import * as v from 'valibot';
import { syncFolder, writeFileAtomic } from '@srup/node';
import type { AgentConfig } from '../config/config.ts';
import type { Home } from '../ground/home.ts';
import { readJson } from '../vault/identity.ts';

/**
 * How far an enrolment got, so that a power cut costs one step at most. It contains no secrets. A registration that is
 * not finished expires at the service (P 8.5); then the enrolment begins anew, with another id.
 */
const schema = v.object({
  /** `drawn`: keys and id are made. `registered`: the service took them. `validated`: both proved their keys. */
  phase: v.picklist(['drawn', 'registered', 'validated']),
  id: v.string(),
  type: v.string(),
  suite: v.picklist(['ed25519', 'rsa-sha256', 'ml-dsa-65']),
  url: v.string(),
  server: v.exactOptional(v.string()),
  broker: v.exactOptional(v.string()),
  /** PEM of the key service's own key of this suite. */
  servicePem: v.exactOptional(v.string()),
});
export type Progress = v.InferOutput<typeof schema>;

/** The enrolment that this configuration began; undefined when there is none, or one for another service, type or suite. */
export async function loadProgress(home: Home, config: AgentConfig): Promise<Progress | undefined> {
  const progress = await readJson(home.enrolment, schema);
  const fits =
    progress?.url === config.url && progress.type === config.type && progress.suite === config.suite;
  return fits ? progress : undefined;
}

export async function saveProgress(home: Home, progress: Progress): Promise<Progress> {
  await writeFileAtomic(home.enrolment, `${JSON.stringify(progress)}\n`);
  return progress;
}

export async function dropProgress(home: Home): Promise<void> {
  await rm(home.enrolment, { force: true });
  await syncFolder(home.folder);
}
