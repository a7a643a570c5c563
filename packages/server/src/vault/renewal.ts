/** Renews the server's certificates while it runs. */
import { DAY_MS } from '../authority/ca.ts';
import type { Credentials, Renewed } from './credentials.ts';

/** How often the certificates are checked in their life; at least once a day. */
const CHECKS = 24;

export interface RenewalOptions {
  /** The life of a certificate, in milliseconds. */
  readonly certificateMs: number;
}

export interface RenewalPorts {
  readonly credentials: Credentials;
  readonly onRenewed: (renewed: Renewed) => void;
  readonly warn: (message: string) => void;
}

/** Replaces the certificates that end soon, and says which. Returns how to stop. */
export function keepFresh(
  { certificateMs }: RenewalOptions,
  { credentials, onRenewed, warn }: RenewalPorts,
): () => void {
  const renew = (): void => {
    credentials.renew().then(
      (renewed) => {
        if (renewed.tls || renewed.mqtt) onRenewed(renewed);
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : 'unknown reason';
        warn(`The server's certificates could not be renewed: ${reason}. The server tries again.`);
      },
    );
  };
  const timer = setInterval(renew, Math.min(DAY_MS, certificateMs / CHECKS)).unref();
  return () => {
    clearInterval(timer);
  };
}
