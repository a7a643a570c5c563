/** Where things lie in a server's folder, as a backup sees it. */
import { CORE_FILE, KEYS_FILE } from '../store/databases.ts';
import { VAULT_FOLDERS } from '../vault/vault.ts';

export const CORE_DATABASE = CORE_FILE;
export const KEY_DATABASE = KEYS_FILE;

/**
 * The databases, in the order in which a backup holds them: what the core did needs the key service to know at least as
 * much. A device of the core is then an identity of the key service, and a revocation that only one of them knows is
 * the core's, which orders it again.
 */
export const DATABASES = [CORE_DATABASE, KEY_DATABASE] as const;
/** The server's own folders, and the configuration of its broker. Others may keep files beside them. */
export const PARTS = [...VAULT_FOLDERS, 'mosquitto'] as const;
/** The file that makes a folder a server's. */
export const MARKER = 'vault.json';
export const ARTIFACTS = 'artifacts';

export function isDatabase(path: string): boolean {
  return (DATABASES as readonly string[]).includes(path);
}
