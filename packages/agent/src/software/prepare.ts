import type { FileHandle } from 'node:fs/promises';
import { lstat, rename, rm } from 'node:fs/promises';
import { syncFolder } from '@srup/node';
import { type ArchiveKind, detectArchive, openTar } from './archive.ts';
import { digestOf, openRegular, readChunks } from './chunks.ts';
import type { Slot } from './slots.ts';
import { ArchiveFault, type UnpackLimits, unpackTar } from './unpack.ts';

/** Software that can be started: verified, and unpacked if it is an archive. */
export interface Software {
  readonly slot: Slot;
  /** The artifact, or the folder that it was unpacked to. */
  readonly path: string;
  /** The folder that holds what is to run. */
  readonly folder: string;
}

export interface PrepareRules {
  readonly unpack: 'auto' | 'always' | 'never';
  /** Is a plain artifact a program? Then its owner may execute it from now on, and not before. */
  readonly executable: boolean;
  readonly limits: UnpackLimits;
}

/** Software that can't be started. The message is for people: part of a sentence. */
export class SoftwareFault extends Error {
  override readonly name = 'SoftwareFault';
  /** The file itself is gone or was changed: it must be fetched again. */
  readonly isLost: boolean;
  constructor(message: string, isLost: boolean) {
    super(message);
    this.isLost = isLost;
  }
}

/**
 * Verifies the slot's file again from the opened file (P 10.3, threat 14: swapped between RESPONSE and ACTIVATE), and
 * unpacks from that same opened file. Rejects with SoftwareFault when it can't, or with the signal's reason.
 */
export async function prepareSoftware(
  slot: Slot,
  rules: PrepareRules,
  signal: AbortSignal,
): Promise<Software> {
  const file = await openRegular(slot.artifact);
  if (file === undefined) throw new SoftwareFault('its file is not on this device', true);
  try {
    if ((await digestOf(file, signal)) !== slot.digest) {
      throw new SoftwareFault('its file was changed after it was verified', true);
    }
    const kind = rules.unpack === 'never' ? undefined : await detectArchive(file);
    if (kind === undefined && rules.unpack === 'always')
      throw new SoftwareFault('its file is not an archive', false);
    if (kind !== undefined) return await unpack(slot, file, kind, rules.limits, signal);
    if (rules.executable) await allowExecution(slot, file);
    return { slot, path: slot.artifact, folder: slot.folder };
  } finally {
    await file.close();
  }
}

async function unpack(
  slot: Slot,
  file: FileHandle,
  kind: ArchiveKind,
  limits: UnpackLimits,
  signal: AbortSignal,
): Promise<Software> {
  const unfinished = `${slot.content}.new`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    await unpackTar(openTar(readChunks(file, signal), kind), unfinished, limits, signal);
  } catch (error) {
    if (error instanceof ArchiveFault) throw new SoftwareFault(error.message, false);
    throw error;
  }
  await rm(slot.content, { recursive: true, force: true });
  await rename(unfinished, slot.content);
  await syncFolder(slot.folder);
  return unpacked(slot);
}

function unpacked(slot: Slot): Software {
  return { slot, path: slot.content, folder: slot.content };
}

/** Opens software that was prepared before. An unpacked archive is used as it is; a plain file is verified again. */
export async function findPrepared(slot: Slot, rules: PrepareRules, signal: AbortSignal): Promise<Software> {
  const content = await lstat(slot.content).catch(() => undefined);
  return content?.isDirectory() === true ? unpacked(slot) : prepareSoftware(slot, rules, signal);
}

/** Makes the opened file executable, and only if its name still leads to it. */
async function allowExecution(slot: Slot, file: FileHandle): Promise<void> {
  await file.chmod(0o700);
  const [opened, named] = await Promise.all([file.stat(), lstat(slot.artifact)]);
  if (opened.ino !== named.ino || opened.dev !== named.dev) {
    throw new SoftwareFault('its file was changed after it was verified', true);
  }
}
