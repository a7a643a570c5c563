/** What the key service answers: a value, or a refusal. */

/** Every refusal of the key service with its HTTP status (P 8.4): one closed list. */
export const SERVICE_FAULTS = {
  invalid: 400, // not JSON, or a field that is absent or has the wrong form
  'invalid-key': 400, // malformed, weak, or of no suite
  'invalid-csr': 400, // P 8.3
  'bad-signature': 401, // not made by the registered key
  'wrong-code': 403, // enrolment code absent, wrong, used up or expired
  forbidden: 403, // a C2 server without the operator's token
  revoked: 403,
  'not-found': 404,
  duplicate: 409, // ids are never reused (P 8.5)
  'wrong-state': 409, // a step before its turn (P 8.5)
  gone: 410, // the registration was not finished in time; or the key of a revoked identity
  'too-large': 413,
  'too-many-requests': 429,
  closed: 503, // the operator takes no registrations now
  unavailable: 503, // the service itself is in trouble: try again
} as const;

export type ServiceFault = keyof typeof SERVICE_FAULTS;

export interface Refusal {
  readonly ok: false;
  readonly fault: ServiceFault;
  /** What happened, why, and what to do, for the person who runs the device. */
  readonly message: string;
}

export type Answer<Value> = { readonly ok: true; readonly value: Value } | Refusal;

export function answer<Value>(value: Value): Answer<Value> {
  return { ok: true, value };
}

export function refuse(fault: ServiceFault, message: string): Refusal {
  return { ok: false, fault, message };
}

/** PEM as the answers carry it. */
export function toBase64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
