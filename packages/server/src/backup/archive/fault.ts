/** A backup can't be made, read or restored. The message says why, then what to do. Nothing is left half done. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}
