export { KeyError, type KeyCode } from './fault.ts';
export {
  generateKeys,
  importOpenKey,
  importSealKey,
  importSignKey,
  importVerifyKey,
  type KeyPairPem,
  type KeySet,
  type PublicPems,
} from './keys.ts';
export { bodyToPem, pemToBody, publicFingerprint } from './pem.ts';
export { checkProof, proveText } from './proof.ts';
