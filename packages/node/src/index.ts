// Ports of the protocol: clock, randomness, keys.
export { newIdentity, newToken, systemClock, systemRandom } from './system.ts';
export * from './crypto/index.ts';

// The ground of agent and server: queues, timers, logs, secrets.
export { realDelay, within, type Delay } from './delay.ts';
export { silentLog, type Log } from './log.ts';
export { createLanes, createQueue, type Lanes, type Queue } from './queue.ts';
export { Secret } from './secret.ts';

// The network: MQTT, TLS, HTTPS.
export { LineOver, takeInOrder, type Line, type MqttArrival } from './arrivals.ts';
export { connectMqtt, MqttError, type MqttLink, type MqttOptions } from './mqtt.ts';
export { backoffMs, type BackoffBounds } from './backoff.ts';
export { http, https, tls } from './builtin.ts';
export { fetchPinnedCa, fingerprintOf, PinError, type SeenCertificate } from './https.ts';
export { connectionReason } from './reason.ts';
export { connectUndated, judgeUndated, undatedBy, type Undated } from './undated.ts';

// Files and folders that survive a power cut.
export {
  makeFolders,
  makePrivateFolder,
  sha256File,
  syncFile,
  syncFolder,
  writeFileAtomic,
} from './files.ts';
export { FolderLockedError, lockFolder, type FolderLock } from './folder-lock.ts';
