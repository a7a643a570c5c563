/** How often the key service is asked (P 8.4). */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseIdentity } from '@srup/protocol';
import type { KeyService } from './contract.ts';

const MINUTE_MS = 60_000;
/** Proofs a minute of one registered identity; an honest enrolment takes two. */
const PROOFS_OF_ONE = 20;

export interface KeyServiceLimits {
  /** Of one address, without a valid enrolment code; 60 unless told. */
  readonly registrationsPerMinute?: number;
  /** Proofs (validate, access) of one address for identities that are not registered; ten times as many unless told. */
  readonly proofsPerMinute?: number;
}

/**
 * Limits a stranger by his address. Who holds a valid enrolment code is none: the code's uses are the limit, so that
 * a factory behind one address can enrol thousands. What a registered identity proves counts for itself first, and
 * against the address only beyond its share. `app`: with the rate-limit plugin.
 */
export function rateLimits(app: FastifyInstance, service: KeyService, limits: KeyServiceLimits) {
  const registrations = limits.registrationsPerMinute ?? 60;
  const proofs = limits.proofsPerMinute ?? 10 * registrations;
  // The body is read then, and nothing is done yet.
  const shared = { timeWindow: MINUTE_MS, hook: 'preValidation' } as const;
  const ownShare = app.createRateLimit({
    timeWindow: MINUTE_MS,
    max: PROOFS_OF_ONE,
    // With the address, so that nobody uses up the share of another.
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

/** The body is a stranger's, and not checked yet. */
function textIn({ body }: FastifyRequest, field: string): string | undefined {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, field)) return undefined;
  const value = (body as Readonly<Record<string, unknown>>)[field];
  return typeof value === 'string' ? value : undefined;
}
