/** Writes devices, software and exchanges of the server for people. */
import type { Cell } from '../screen/output.ts';
import { shortDigest } from '../screen/words.ts';
import type { ArtifactView, DeviceView, ExchangeView, Standing } from './views.ts';

/** A digest with the name under which it was uploaded, if it was. */
export function softwareName(digest: string, artifacts: ReadonlyMap<string, ArtifactView>): string {
  const artifact = artifacts.get(digest);
  if (artifact === undefined) return shortDigest(digest);
  const version = artifact.version === undefined ? '' : ` ${artifact.version}`;
  return `${shortDigest(digest)} (${artifact.name}${version})`;
}

/** The name that people gave a device, with its id, which can't be forged. */
export function deviceTitle({ id, name }: Pick<DeviceView, 'id' | 'name'>): string {
  return name === undefined ? id : `${name} (${id})`;
}

export function standingCell(standing: Standing): Cell {
  if (standing === 'joined') return { text: standing, style: 'green' };
  if (standing === 'pending') return { text: standing, style: 'yellow' };
  return standing === 'refused' || standing === 'failed' ? { text: standing, style: 'red' } : standing;
}

const GOOD = new Set(['active', 'done', 'answered', 'accepted', 'received', 'left']);
const BAD = new Set(['failed', 'reverted', 'refused', 'unknown', 'expired']);

export function phaseCell({ exchange: { phase } }: ExchangeView): Cell {
  if (GOOD.has(phase)) return { text: phase, style: 'green' };
  if (BAD.has(phase)) return { text: phase, style: 'red' };
  return { text: phase, style: 'yellow' };
}
