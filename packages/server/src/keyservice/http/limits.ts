/** How often clients can ask the key service (P 8.4). */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseIdentity } from '@srup/protocol';
import type { KeyService } from '../service.ts';

const MINUTE_MS = 60_000;
/** Proofs a minute that one registered identity can send; an honest enrolment takes two. */
const PROOFS_OF_ONE = 20;

export interface KeyServiceLimits {
  /** Registrations a minute from one address, without a valid enrolment code; 60 by default. */
  readonly registrationsPerMinute?: number;
  /**
   * Proofs (validate, access) a minute from one address for identities that are not registered; by default ten times
   * `registrationsPerMinute`.
   */
  readonly proofsPerMinute?: number;
}

/**
 * Limits strangers by their address. A client with a valid enrolment code is not a stranger: the uses of the code are
 * its limit, so that a factory behind one address can enrol thousands of devices. The proofs of a registered identity
 * count for the identity first, and for the address only beyond its share. `app` has the rate-limit plugin.
 */
export function rateLimits(
  app: FastifyInstance,
  service: Pick<KeyService, 'acceptsCode' | 'find'>,
  limits: KeyServiceLimits,
) {
  const registrations = limits.registrationsPerMinute ?? 60;
  const proofs = limits.proofsPerMinute ?? 10 * registrations;
  // At that moment the body is read, and nothing is done yet.
  const shared = { timeWindow: MINUTE_MS, hook: 'preValidation' } as const;
  const ownShare = app.createRateLimit({
    timeWindow: MINUTE_MS,
    max: PROOFS_OF_ONE,
    // With the address, so that nobody can use up the share of another client.
    keyGenerator: (request) => `${request.ip} ${textIn(request, 'identity') ?? ''}`,
  });

  async function hasCode(request: FastifyRequest): Promise<boolean> {
    const [code, type] = [textIn(request, 'code'), textIn(request, 'type')];
    return code !== undefined && type !== undefined && service.acceptsCode(code, type);
  }

  async function isOwn(request: FastifyRequest): Promise<boolean> {
    const id = parseIdentity(textIn(request, 'identity') ?? '');
    const known = id === undefined ? undefined : await service.find(id);
    if (known === undefined || known.state === 'revoked') return false;
    const share = await ownShare(request);
    return share.isAllowed || !share.isExceeded;
  }

  return {
    registering: { rateLimit: { ...shared, max: registrations, allowList: hasCode } },
    introducing: { rateLimit: { ...shared, max: registrations } },
    proving: { rateLimit: { ...shared, max: proofs, allowList: isOwn } },
  };
}

/** A text field of a body that is not checked yet. */
function textIn({ body }: FastifyRequest, field: string): string | undefined {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, field)) return undefined;
  const value = (body as Readonly<Record<string, unknown>>)[field];
  return typeof value === 'string' ? value : undefined;
}
