export { http, https, tls } from './builtin.ts';
export * from './crypto/index.ts';
export { Secret } from './secret.ts';
export { realDelay, within, type Delay } from './delay.ts';
export { createLanes, createQueue, type Lanes, type Queue } from './queue.ts';
export { silentLog, type Log } from './log.ts';
export { newIdentity, newToken, systemClock, systemRandom } from './system.ts';
export {
  makeFolders,
  makePrivateFolder,
  sha256File,
  syncFile,
  syncFolder,
  writeFileAtomic,
} from './files.ts';
export { backoffMs, type BackoffBounds } from './backoff.ts';
export { FolderLockedError, lockFolder, type FolderLock } from './folder-lock.ts';
export { fetchPinnedCa, fingerprintOf, PinError, type SeenCertificate } from './https.ts';
export { connectionReason } from './reason.ts';
export { connectUndated, judgeUndated, undatedBy, type Undated } from './undated.ts';
export { connectMqtt, MqttError, type MqttArrival, type MqttLink, type MqttOptions } from './mqtt.ts';
