/** The first step of an identity: it registers (P 8.4, 8.5). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { pemToBody } from '@srup/node';
import { parseIdentity, type SuiteName } from '@srup/protocol';
import { answer, refuse, toBase64, type Answer } from '../faults.ts';
import { isOpen } from '../opening.ts';
import {
  C2_TYPE,
  type C2Answer,
  type C2Request,
  type RegisterAnswer,
  type RegisterRequest,
} from '../requests.ts';
import type { EnrolmentOptions, EnrolmentPorts } from './ports.ts';
import { readKeys, takeIdentity } from './registration.ts';

export interface Registering {
  register(request: RegisterRequest): Promise<Answer<RegisterAnswer>>;
  registerC2(request: C2Request): Promise<Answer<C2Answer>>;
}

export function createRegistering(options: EnrolmentOptions, ports: EnrolmentPorts): Registering {
  const { server, keys, serverKeys } = options;
  const { store, brokerUrl, clock } = ports;

  /** Takes the identity. The answer is the suite that its key belongs to. */
  async function enrol(
    request: Pick<RegisterRequest, 'identity' | 'key' | 'sealKey' | 'code' | 'type'>,
    codeRequired: boolean,
  ): Promise<Answer<SuiteName>> {
    const id = parseIdentity(request.identity);
    if (id === undefined) return refuse('invalid', 'the identity has not the form of P 2.7');
    if (id === options.serverId) return refuse('duplicate', 'this is the identity of the server itself');
    const read = readKeys(request);
    if (!read.ok) return read;
    const wanted = { ...read.value, id, type: request.type, code: request.code };
    const refusal = await takeIdentity(store, wanted, clock.now(), codeRequired);
    return refusal ?? answer(read.value.suite);
  }

  return {
    register: async (request) => {
      if (!(await isOpen(store.read))) return CLOSED;
      const enrolled = await enrol(request, options.requireCode);
      if (!enrolled.ok) return enrolled;
      const { signing, sealing } = serverKeys[enrolled.value];
      return answer({
        ...placeOf(brokerUrl),
        key: toBase64(signing),
        default_c2: server,
        ...(sealing !== undefined && { sealKey: toBase64(sealing) }),
        service_key: toBase64(keys[enrolled.value].signing.publicPem),
      });
    },

    registerC2: async (request) => {
      const { c2Token } = options;
      const sent = Buffer.from(request.signature, 'base64');
      // Hashed, so that the comparison takes the same time whatever the length.
      if (c2Token === undefined || !timingSafeEqual(sha256(sent), sha256(c2Token.reveal()))) {
        return refuse(
          'forbidden',
          'a C2 server registers here only with the token that the operator gave it',
        );
      }
      const enrolled = await enrol({ ...request, type: C2_TYPE }, false);
      if (!enrolled.ok) return enrolled;
      return answer({
        ...placeOf(brokerUrl),
        key: pemToBody(keys[enrolled.value].signing.publicPem),
      });
    },
  };
}

const CLOSED = refuse(
  'closed',
  'this key service takes no registrations now: ask the operator, or try later',
);

/** P 7.1. */
const REFERENCE_PORT = '8883';

/**
 * Where the broker is, in two forms. pySRUP cuts `mqtt://` off, takes the rest for a host name, and speaks TLS with its
 * port 8883 (interop); a client that can read a URL gets the true one beside it.
 */
function placeOf(url: string): { broker: string; broker_url: string } {
  const { hostname, port } = new URL(url);
  const place = port === '' || port === REFERENCE_PORT ? hostname : `${hostname}:${port}`;
  return { broker: `mqtt://${place}`, broker_url: url };
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}
