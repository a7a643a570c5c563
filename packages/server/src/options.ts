import type { Secret } from '@srup/node';
import type { Logger } from 'pino';
import type { Artifacts } from './artifacts/artifacts.ts';
import type { Fleet } from './fleet-port.ts';
import type { EnrolmentCodes } from './keyservice/codes.ts';
import type { Orders } from './orders/orders.ts';
import type { ApiTokens } from './access/tokens.ts';
import type { DatabaseNote } from './store/databases.ts';

export const DEFAULT_HTTPS_PORT = 8443;
/** P 7.1. */
export const DEFAULT_MQTTS_PORT = 8883;
/** This machine only. */
export const DEFAULT_LISTEN = '127.0.0.1';

export interface ServerOptions {
  /** Where the server keeps everything; it makes the folder when it is missing, with mode 0700. */
  readonly folder: string;
  /** Names and addresses by which devices and operators reach the server. URLs have the first, or `localhost`. */
  readonly hosts?: readonly string[];
  /** Where devices and people reach the HTTPS port through a forwarder, `https://...`; host and port by default. */
  readonly publicUrl?: string;
  /** Where devices reach the embedded broker through a forwarder, `mqtts://...`; host and port by default. */
  readonly publicBrokerUrl?: string;
  /** The address to listen on; `DEFAULT_LISTEN` by default. */
  readonly listen?: string;
  /** `DEFAULT_HTTPS_PORT` by default; 0: any free port. */
  readonly httpsPort?: number;
  /** The port of the embedded broker, `DEFAULT_MQTTS_PORT` by default; 0: any free port. */
  readonly mqttsPort?: number;
  /** An MQTT broker elsewhere, which is used instead of the embedded one. */
  readonly broker?: {
    /** `mqtts://host:port` */
    readonly url: string;
    /** PEM of the CA of the broker's certificate; this server's own CA by default. */
    readonly ca?: string;
    /** Program and arguments that make it read its files again; they run when revocation list or certificate change. */
    readonly reload?: readonly string[];
    /** `mqtts://host:port`, where the server may connect under any client id, and so can end sessions (P 10.8). */
    readonly sessionsUrl?: string;
  };
  /**
   * A database of PostgreSQL for everything but keys, certificates and artifacts. The folder remembers it. By default
   * what the folder remembers, else SQLite files in it.
   */
  readonly database?: DatabaseNote;
  /** Its password, instead of the one in the file that `database` names. */
  readonly databasePassword?: Secret;
  /** True by default: only a device with an enrolment code can register (P 8.4). False: any can. Joining comes after that. */
  readonly requireEnrolmentCode?: boolean;
  /** The life of the certificates that this server issues, its own too, in milliseconds; 365 days by default, and never more (P 8.3). */
  readonly certificateMs?: number;
  /** True: the embedded broker speaks unencrypted MQTT (P 7.5), and confidentiality is lost. */
  readonly insecurePlainMqtt?: boolean;
  /** False: there is no HTTP API for operators (`/api/v1`). A door that nobody uses is better not there. */
  readonly api?: boolean;
  /** Files and `https://` URLs elsewhere that receive the signed checkpoints of the audit trail. */
  readonly witnesses?: readonly string[];
  readonly log: Logger;
}

export interface RunningServer {
  /** `https://host:port`, for people, devices and files. */
  readonly url: string;
  /** `mqtts://host:port`. */
  readonly brokerUrl: string;
  /** Hex text of the server's identity. */
  readonly serverId: string;
  readonly caPem: string;
  /** SHA-256 of the CA certificate in lower-case hex, which devices pin (P 8.6). */
  readonly caFingerprint: string;
  /** The database of PostgreSQL that it works on, without secrets. Absent: SQLite files in its folder. */
  readonly database?: {
    readonly url: string;
    /** True: what is stored goes over a network in clear. */
    readonly isPlain: boolean;
  };
  /** The token for the first operator, until somebody has used one; every start makes a new one. Show it, don't store it. */
  readonly setupToken?: string;
  readonly fleet: Fleet;
  /** Orders to devices, as the HTTP API takes them. */
  readonly orders: Orders;
  readonly artifacts: Artifacts;
  readonly codes: EnrolmentCodes;
  readonly tokens: ApiTokens;
  /** Stops taking requests, finishes what runs, and closes everything. */
  close(): Promise<void>;
}
