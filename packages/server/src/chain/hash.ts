import { hash } from 'node:crypto';
import type { HexSha256 } from '@srup/protocol';

/** The hash of the audit trail, in lower-case hex. */
export const sha256: HexSha256 = (data) => hash('sha256', data, 'hex');
