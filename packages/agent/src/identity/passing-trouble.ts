/** What can go wrong while a device gets its identity, in words for a person. */
import { connectionReason, PinError } from '@srup/node';
import { AgentError, codeOf, reasonOf } from '../ground/trouble.ts';

/** An error that can pass by itself: the agent waits and tries again. */
export class PassingTrouble extends AgentError {
  override readonly name = 'PassingTrouble';
  /** The wait that the service asked for, in milliseconds; absent: our own backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, hint?: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, hint, options.cause);
    this.retryAfterMs = options.retryAfterMs;
  }
}

const CLOCK_CODES = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);
const UNTRUSTED_CODES = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

/** Explains a failed connection to the key service. `now`: this device's clock, ms since 1970. */
export function explainConnection(error: unknown, url: string, now: number): AgentError {
  if (error instanceof AgentError) return error;
  if (error instanceof PinError) return explainPin(error, url);
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = codeOf(inner) ?? '';
  if (CLOCK_CODES.has(code)) return explainClock(url, now, inner);
  if (UNTRUSTED_CODES.has(code)) {
    return new AgentError(
      `the certificate of ${url} is not signed by a CA that this device trusts`,
      'Give the fingerprint of the CA (--ca-fingerprint) as the server prints it, or its certificate (--ca-file).',
      inner,
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new AgentError(
      `the certificate of ${url} is for other names: ${reasonOf(inner)}`,
      'Use a host name of the certificate, or let the server make one for this name.',
      inner,
    );
  }
  return new PassingTrouble(
    `${url} can't be reached: ${connectionReason(inner)}`,
    'Is the server running, the address right, and the network up?',
    { cause: inner },
  );
}

function explainPin(error: PinError, url: string): AgentError {
  const seen = error.seen.map(({ subject, fingerprint }) => `  ${fingerprint}  ${subject}`);
  return new AgentError(
    `${url} is not the server that was named: the fingerprint of its CA is another one\n` +
      `wanted:\n  ${error.wanted}\nseen:\n${seen.join('\n')}`,
    'If the server was set up anew, take the new fingerprint from it. Otherwise somebody is in between: do not go on.',
    error,
  );
}

/** Passes by itself: often the network sets a clock a little later. */
export function explainClock(url: string, now: number, cause?: unknown): PassingTrouble {
  return new PassingTrouble(
    `the certificate of ${url} is not valid at the time of this device's clock, which says ${new Date(now).toISOString()}`,
    'Set the clock of the device; or renew the certificate of the server, if the clock is right.',
    { cause },
  );
}

/** Explains a reference service (P 8.2). The owner must ask for one, as it does not prove itself. */
export function explainReference(url: string): AgentError {
  return new AgentError(
    `${url} does not say by which key it proves itself: it is a key service as pySRUP's authors published it`,
    'If it is meant to be one, say --reference-server: its TLS certificate is then all that tells it from others.',
  );
}

/** Explains a status of P 8.4 and says what to do. `said`: the service's own words. */
export function explainStatus(
  url: string,
  call: string,
  status: number,
  said: string,
  retryAfterMs?: number,
): AgentError {
  const answer = `${url} answered ${status} to ${call}${said === '' ? '' : `: ${said}`}`;
  if (status === 429 || status >= 500) {
    return new PassingTrouble(answer, undefined, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (status === 403 && call === 'register') {
    return new AgentError(
      answer,
      'This service wants a valid enrolment code: ask its operator for one (--enrolment-code).',
    );
  }
  return new AgentError(answer, 'Do the agent and the server speak the same version?');
}
