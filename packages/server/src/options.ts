import type { Logger } from 'pino';
import type { Artifacts } from './artifacts/artifacts.ts';
import type { Fleet } from './fleet-port.ts';
import type { EnrolmentCodes } from './keyservice/codes.ts';
import type { ApiTokens } from './access/tokens.ts';

export const DEFAULT_HTTPS_PORT = 8443;
/** P 7.1. */
export const DEFAULT_MQTTS_PORT = 8883;
export const DEFAULT_LISTEN = '127.0.0.1';

export interface ServerOptions {
  /** Everything that the server keeps; made when it is missing, 0700. */
  readonly folder: string;
  /** Names and addresses under which devices and operators reach the server; the first is used in URLs. */
  readonly hosts?: readonly string[];
  /** How devices and people reach the HTTPS port through a forwarder, `https://...`; made of host and port unless told. */
  readonly publicUrl?: string;
  /** How devices reach the embedded broker through a forwarder, `mqtts://...`. */
  readonly publicBrokerUrl?: string;
  /** Address to listen on; this machine only unless told. */
  readonly listen?: string;
  /** 0: a free port. */
  readonly httpsPort?: number;
  /** 0: a free port. */
  readonly mqttsPort?: number;
  /** An MQTT broker elsewhere, instead of the embedded one. */
  readonly broker?: {
    /** `mqtts://host:port` */
    readonly url: string;
    /** PEM of the CA of the broker's certificate; this server's own CA unless told. */
    readonly ca?: string;
    /** Program and arguments that make it read its files again: run when the revocation list or certificate changes. */
    readonly reload?: readonly string[];
    /** `mqtts://host:port`, where the server may connect under any client id and so ends sessions (P 10.8). */
    readonly sessionsUrl?: string;
  };
  /** Only who has an enrolment code may register (P 8.4), unless false: then anybody may. Joining is another matter. */
  readonly requireEnrolmentCode?: boolean;
  /** Of the certificates that this server issues, its own too; 365 days unless told, and never more (P 8.3). */
  readonly certificateMs?: number;
  /** The embedded broker speaks unencrypted MQTT (P 7.5): confidentiality is lost. */
  readonly insecurePlainMqtt?: boolean;
  /** The HTTP API for operators, under `/api/v1`, unless false: a door that nobody uses is better not there. */
  readonly api?: boolean;
  /** Files and https URLs outside, which receive the signed checkpoints of the audit trail. */
  readonly witnesses?: readonly string[];
  readonly log: Logger;
}

export interface RunningServer {
  /** `https://host:port`, for people, devices, files. */
  readonly url: string;
  /** `mqtts://host:port`. */
  readonly brokerUrl: string;
  /** Hex text of the server's identity. */
  readonly serverId: string;
  readonly caPem: string;
  /** SHA-256 of the CA certificate, lower-case hex: what devices pin (P 8.6). */
  readonly caFingerprint: string;
  /** For the first operator, until somebody has used it; every start makes a new one. Show it, don't store it. */
  readonly setupToken?: string;
  readonly fleet: Fleet;
  readonly artifacts: Artifacts;
  readonly codes: EnrolmentCodes;
  readonly tokens: ApiTokens;
  /** Stops taking requests, finishes what runs, closes everything. */
  close(): Promise<void>;
}
