/** Finds on the server what a person typed. */
import { isDigest } from '@srup/protocol';
import { shortDigest } from '../screen/words.ts';
import { UserError } from '../user-error.ts';
import { segment, type Api } from './api.ts';
import { deviceTitle } from './cells.ts';
import type { ArtifactView, DeviceView } from './views.ts';

const IDENTITY = /^[1-9a-f][0-9a-f]{0,15}$/;
/** Digits that the beginning of an id needs. A shorter one is too easily mistyped into another device. */
const LEAST_PREFIX = 4;
const LEAST_DIGEST_PREFIX = 8;
/** The most candidates that an error lists. */
const LISTED = 10;

/** Finds a device by its id, its name, or the beginning of its id (4 digits or more) if only one has it. */
export async function findDevice(api: Api, text: string): Promise<DeviceView> {
  const id = text.toLowerCase();
  const exact = IDENTITY.test(id) ? await api.find<DeviceView>(`/devices/${id}`) : undefined;
  if (exact !== undefined) return exact;
  const similar = await api.list<DeviceView>('/devices', { search: text.slice(0, 100) });
  // A deregistered device does not count: its successor can have its name.
  const named = similar.filter(({ name, standing }) => name === text && standing !== 'deregistered');
  const found =
    named.length > 0
      ? named
      : similar.filter((device) => id.length >= LEAST_PREFIX && device.id.startsWith(id));
  if (found.length === 1) return found[0] as DeviceView;
  if (found.length > 1) throw ambiguous(text, found);
  throw new UserError(
    `no device has the name or id "${text}"`,
    similar.length > 0
      ? `Similar ones: ${listed(similar.map(deviceTitle))}. The beginning of an id needs ${LEAST_PREFIX} digits.`
      : 'List all devices: srup ctl devices',
  );
}

export async function findDevices(api: Api, texts: readonly string[]): Promise<DeviceView[]> {
  const found = new Map<string, DeviceView>();
  for (const text of texts) {
    const device = await findDevice(api, text);
    found.set(device.id, device);
  }
  return [...found.values()];
}

/** Finds a stored artifact by its digest, or the beginning of it (8 digits or more) if only one has it. */
export async function findArtifact(api: Api, text: string): Promise<ArtifactView> {
  const digest = text.toLowerCase();
  const found: ArtifactView[] = [];
  if (isDigest(digest)) {
    const exact = await api.find<ArtifactView>(`/artifacts/${segment(digest)}`);
    if (exact !== undefined) found.push(exact);
  } else if (/^[0-9a-f]+$/.test(digest) && digest.length >= LEAST_DIGEST_PREFIX) {
    for await (const artifact of api.rows<ArtifactView>('/artifacts', { search: digest })) {
      if (artifact.digest.startsWith(digest)) found.push(artifact);
    }
  }
  if (found.length === 1) return found[0] as ArtifactView;
  if (found.length === 0) {
    throw new UserError(
      `"${text}" is neither a file here nor the digest of a stored artifact`,
      'List the stored artifacts: srup ctl artifacts',
    );
  }
  throw new UserError(
    `"${text}" begins the digest of several artifacts: ${listed(found.map((one) => `${shortDigest(one.digest)} ${one.name}`))}`,
    'Write more of the digest.',
  );
}

function ambiguous(text: string, found: readonly DeviceView[]): UserError {
  return new UserError(
    `"${text}" can mean several devices: ${listed(found.map(deviceTitle))}`,
    'Write the whole id of the one you mean.',
  );
}

function listed(candidates: readonly string[]): string {
  const more = candidates.length - LISTED;
  return candidates.slice(0, LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
