/** The parties of a history: the server and the devices, with the keys that it names for them. */
import type { VerifyKey } from '../trust/suite.ts';
import { beginDevice, type DeviceHistory } from './device-history.ts';
import type { AuditBodies } from './entry.ts';
import type { Findings } from './findings.ts';
import type { EntryLine } from './lines.ts';

export interface KeyReader {
  /** Throws if the text is not a key. */
  readonly importKey: (publicPem: string) => VerifyKey;
  /** SHA-256 of a public key in SPKI form, lower-case hex. */
  readonly fingerprint: (publicPem: string) => string;
}

export interface Parties {
  /** The body of the first entry, once it was read. */
  begin(): AuditBodies['begin'] | undefined;
  takeBegin(body: AuditBodies['begin']): void;
  takeDevice(body: AuditBodies['device'], entry: EntryLine): void;
  /** What is known of a device. A device that was not named before gets a new history. */
  device(id: string): DeviceHistory;
  devices(): readonly DeviceHistory[];
  serverKey(suite: string): VerifyKey | undefined;
  /** Fingerprint of the server's Ed25519 key. */
  fingerprint(): string | undefined;
}

/** `isExcerpt`: the history does not show everything that happened before. */
export function openParties(reader: KeyReader, findings: Findings, isExcerpt: () => boolean): Parties {
  const devices = new Map<string, DeviceHistory>();
  let begin: AuditBodies['begin'] | undefined;
  let serverKeys: Partial<Record<string, VerifyKey>> = {};

  function importOrNone(pem: unknown): VerifyKey | undefined {
    try {
      return reader.importKey(String(pem));
    } catch {
      return undefined;
    }
  }

  function fingerprintOrNone(pem: unknown): string | undefined {
    try {
      return reader.fingerprint(String(pem));
    } catch {
      return undefined;
    }
  }

  function deviceOf(id: string): DeviceHistory {
    let device = devices.get(id);
    if (device === undefined) {
      device = beginDevice(id);
      device.isPartial = (begin?.messagesBefore ?? 0) > 0 || isExcerpt();
      devices.set(id, device);
    }
    return device;
  }

  return {
    begin: () => begin,
    takeBegin: (body) => {
      begin = body;
      const pems = Object.entries(body.keys);
      serverKeys = Object.fromEntries(pems.map(([suite, pem]) => [suite, importOrNone(pem)]));
    },
    takeDevice: ({ type, suite, key }, entry) => {
      const device = deviceOf(entry.device);
      device.key = importOrNone(key);
      if (device.key?.suite !== suite)
        findings.add('DEVICE_KEY', 'its key is none, or of another suite', entry);
      Object.assign(device, { type, suite, keyFingerprint: fingerprintOrNone(key) ?? '' });
    },
    device: deviceOf,
    devices: () => [...devices.values()],
    serverKey: (suite) => serverKeys[suite],
    fingerprint: () => fingerprintOrNone(begin?.keys.ed25519),
  };
}
