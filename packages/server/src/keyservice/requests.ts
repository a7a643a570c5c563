/** Requests and answers of P 8, with the names that the published clients use. A stranger writes all of a request. */
import { z } from 'zod';

const BASE64 = /^[A-Za-z0-9+/=\s]*$/;
const base64 = (most: number) =>
  z.string().min(1).max(most).regex(BASE64, 'must be base64; it may be broken into lines');

/** Letters of base64. Of the honest ones, a key of ML-DSA-65 is the longest with 2,650, and a signature with 4,420. */
const KEY_LETTERS = 8_192;
const CSR_LETTERS = 12_288;

export const identityField = z
  .string()
  .regex(/^[1-9a-f][0-9a-f]{0,15}$/, 'must be 1 to 16 lower-case hex digits without leading zeros')
  .describe('identity (P 2.7)');

/** The type that only C2 servers have: no device can register with it. */
export const C2_TYPE = 'C2';

const typeField = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, spaces, dashes or underscores',
  )
  .refine((type) => type !== C2_TYPE, `must not be ${C2_TYPE}, which is for servers`)
  .describe('device type, as policies name it');

const keyField = base64(KEY_LETTERS).describe('public SRUP key: its PEM without header, footer and newlines');

export const registerBody = z.object({
  identity: identityField,
  key: keyField,
  type: typeField,
  sealKey: base64(KEY_LETTERS).optional().describe('public X25519 key, for the suites that seal with HPKE'),
  code: z.string().min(1).max(128).optional().describe('enrolment code, where the operator wants one'),
});

export const validateBody = z.object({
  identity: identityField,
  signature: base64(KEY_LETTERS).describe('by the SRUP key, of the identity as text'),
});

export const accessBody = z.object({
  identity: identityField,
  csr: base64(CSR_LETTERS).describe('base64 of the PKCS#10 request in PEM'),
  signature: base64(KEY_LETTERS).describe('by the SRUP key, of that PEM'),
});

export const c2Body = z.object({
  identity: identityField,
  key: keyField,
  signature: base64(KEY_LETTERS).describe('base64 of the token that the operator gave'),
});

export type RegisterRequest = z.infer<typeof registerBody>;
export type ValidateRequest = z.infer<typeof validateBody>;
export type AccessRequest = z.infer<typeof accessBody>;
export type C2Request = z.infer<typeof c2Body>;

export const statusAnswer = z.object({
  active: z.boolean(),
  identity: z.string(),
  broker: z.string().describe('URL of the MQTT broker, as registrations are told now'),
});
export const registerAnswer = z.object({
  broker: z
    .string()
    .describe('the MQTT broker as pySRUP wants it: mqtt://HOST, and TLS on port 8883 is meant'),
  broker_url: z.string().describe('the true URL of the broker'),
  key: z.string().describe('base64 of the PEM of the server’s key, for the suite of the one who asks'),
  default_c2: z.string().describe('identity of that server'),
  sealKey: z.string().optional().describe('base64 of the PEM of the server’s X25519 key'),
  service_key: z.string().describe('base64 of the PEM of the key service’s own key: it signs `validate`'),
});
export const validateAnswer = z.object({
  identity: z.string(),
  signature: z.string().describe('by the key service, of `identity` as text'),
});
export const accessAnswer = z.object({
  certificate: z.string().describe('base64 of the PEM'),
  CA_certificate: z.string().describe('base64 of the PEM'),
});
export const c2Answer = z.object({
  broker: z.string(),
  broker_url: z.string(),
  key: z.string().describe('the key service’s own key: its PEM without header, footer and newlines'),
});

export type RegisterAnswer = z.infer<typeof registerAnswer>;
export type ValidateAnswer = z.infer<typeof validateAnswer>;
export type AccessAnswer = z.infer<typeof accessAnswer>;
export type C2Answer = z.infer<typeof c2Answer>;
