/** Finds the names of what tables would show by id or digest. */
import type { Api } from './api.ts';
import { deviceTitle } from './cells.ts';
import type { AnswerTo, ArtifactView, DeviceView } from './views.ts';

/** How many artifacts get their names; older ones are shown by their digest. */
const NAMED_ARTIFACTS = 500;

/** The newest artifacts by digest, to show software by its name. */
export async function namedArtifacts(api: Api): Promise<ReadonlyMap<string, ArtifactView>> {
  const { rows } = await api.get<AnswerTo<'listArtifacts'>>('/artifacts', { limit: NAMED_ARTIFACTS });
  return new Map(rows.map((artifact) => [artifact.digest, artifact]));
}

/** The titles of devices by id, for tables. */
export async function deviceTitles(api: Api, ids: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const titles = new Map<string, string>();
  for (const id of new Set(ids)) {
    const device = await api.find<DeviceView>(`/devices/${id}`);
    titles.set(id, device === undefined ? id : deviceTitle(device));
  }
  return titles;
}
