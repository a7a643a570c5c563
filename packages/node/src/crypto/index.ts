export { KeyError, type KeyCode } from './fault.ts';
export { generateKeys, importOpenKey, importSealKey, importSignKey, importVerifyKey } from './keys.ts';
export type { KeyPairPem, KeySet, PublicPems } from './key-set.ts';
export { bodyToPem, pemToBody, publicFingerprint } from './pem.ts';
export { checkProof, proveText } from './proof.ts';
