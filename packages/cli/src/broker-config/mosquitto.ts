/** The configuration of Mosquitto 2 (2.0.11 or newer), as text. */
import { createHash, pbkdf2Sync } from 'node:crypto';
import { join } from 'node:path';
import { MAX_MESSAGE_BYTES } from '@srup/protocol';

/** The first line of each file. A file with another first line belongs to somebody else. */
export const MARK = '# Written by "srup broker-config mosquitto".';

export interface MosquittoPlan {
  readonly serverId: string;
  readonly port: number;
  /** All addresses by default. */
  readonly listen?: string;
  readonly sessionsPort: number;
  /** The address at which the server ends sessions. */
  readonly sessionsListen: string;
  readonly sessionsUser: string;
  readonly password: string;
  /** Paths as Mosquitto sees them. */
  readonly caFile: string;
  readonly credentialFile: string;
  readonly crlFile: string;
  readonly folder: string;
  /** The user that runs Mosquitto. */
  readonly user: string;
}

/** The longest message with its topic. */
const MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 4_096;
/** The queue of one client. The server needs the most: all that a fleet says while the server is away. */
const QUEUE = { messages: 20_000, bytes: 64 * 2 ** 20 };
/**
 * Messages to one client that it has not acknowledged yet: as many as the server's link has in hand (Mosquitto's default of
 * 20 would make a commit small). With more, those beyond would wait in the server's socket, before PUBACKs of its own.
 */
const INFLIGHT = 200;
/** Mosquitto's own default. The password is 256 random bits and needs no slow hash. */
const ROUNDS = 101;
const SALT_BYTES = 12;
const HASH_BYTES = 64;

/** File names and contents. */
export function mosquittoFiles(plan: MosquittoPlan): Readonly<Record<string, string>> {
  return {
    'mosquitto.conf': configuration(plan),
    acl: rules(plan),
    passwords: `${MARK}\n${plan.sessionsUser}:${hash(plan.password)}\n`,
  };
}

/** The text of mosquitto.conf (P 7.1, 7.3, 8.3). */
function configuration(plan: MosquittoPlan): string {
  const { folder, port, listen, sessionsPort, sessionsListen, user } = plan;
  const tls = [
    `cafile ${plan.caFile}`,
    `certfile ${plan.credentialFile}`,
    `keyfile ${plan.credentialFile}`,
    `crlfile ${plan.crlFile}`,
    'require_certificate true',
  ];
  return [
    MARK,
    '# Changes are lost when it is written again.',
    '',
    `user ${user}`,
    `pid_file ${join(folder, 'mosquitto.pid')}`,
    `acl_file ${join(folder, 'acl')}`,
    `password_file ${join(folder, 'passwords')}`,
    'allow_anonymous false',
    '',
    '# Both ends keep what they owe and send it again to a broker that forgot them. A broker that came back with old',
    '# sessions would hide from them that it lost messages.',
    'persistence false',
    '# No persistent_client_expiration: with it, Mosquitto 2.0 dies some time after it has read its files again (SIGHUP)',
    '# while a client was away.',
    'retain_available false',
    `max_packet_size ${MAX_PACKET_BYTES}`,
    `max_queued_messages ${QUEUE.messages}`,
    `max_queued_bytes ${QUEUE.bytes}`,
    `max_inflight_messages ${INFLIGHT}`,
    'set_tcp_nodelay true',
    'log_dest stderr',
    'log_type error',
    'log_type warning',
    'log_type notice',
    '',
    '# Devices and server: the certificate says who they are, and none can take the client id of another.',
    `listener ${port}${listen === undefined ? '' : ` ${listen}`}`,
    ...tls,
    'use_identity_as_username true',
    'use_username_as_clientid true',
    '',
    '# For the server alone, which ends the sessions of revoked devices here: a password beside the certificate.',
    `listener ${sessionsPort} ${sessionsListen}`,
    ...tls,
    '',
  ].join('\n');
}

function rules({ serverId }: MosquittoPlan): string {
  return [
    MARK,
    `user ${serverId}`,
    'topic readwrite SRUP/#',
    '',
    'pattern readwrite SRUP/%u',
    'pattern write SRUP/servers/+/%u',
    '',
  ].join('\n');
}

/** Hashes as mosquitto_passwd does. The salt is derived from the password, so that a second run writes the same file. */
function hash(password: string): string {
  const salt = createHash('sha256').update(`salt ${password}`).digest().subarray(0, SALT_BYTES);
  const hashed = pbkdf2Sync(password, salt, ROUNDS, HASH_BYTES, 'sha512');
  return `$7$${ROUNDS}$${salt.toString('base64')}$${hashed.toString('base64')}`;
}
