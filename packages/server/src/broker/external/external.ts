/** A broker that is not ours: it must refuse revoked devices too, and the server tries out whether it does (P 8.3, 10.8). */
import { within, type Delay, type Log } from '@srup/node';
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import type { Credential } from '../../authority/authority.ts';
import type { BrokerControl } from '../control.ts';
import { endSession, type SessionsAccess } from './end-session.ts';
import { lookAtBroker } from './look.ts';
import { runReload } from './reload.ts';
import { createWatch } from './watch.ts';

/** Milliseconds that the broker has to read the list, before a session is ended all the same. */
const PATIENCE_MS = 5_000;

export interface ExternalOptions {
  /** `mqtts://host:port` */
  readonly url: string;
  /** PEM of the CA of the broker's certificate. */
  readonly ca: string;
  /** Program and arguments that make the broker read its files again. */
  readonly reload?: readonly string[];
  /** Without it the sessions of revoked devices cannot be ended. */
  readonly sessions?: SessionsAccess;
}

export interface ExternalPorts {
  /** The server's own MQTT certificate, read at each connection. */
  readonly credential: () => Credential;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly delay: Delay;
  readonly log: Log;
}

/** Controls a broker elsewhere. It does nothing until it gets a revocation list to `follow`. */
export function controlExternal(options: ExternalOptions, ports: ExternalPorts): BrokerControl {
  const { url, ca, sessions, reload: command } = options;
  const { credential, clock, random, delay, log } = ports;
  const reload = command === undefined ? undefined : () => runReload(command);
  const watch = createWatch({
    reload,
    look: (canary) => lookAtBroker({ url, ca }, canary),
    ...{ clock, random, delay, log },
  });

  async function end(id: Identity): Promise<void> {
    if (watch.revocation().state !== 'current' || watch.isRunning()) {
      // A broker that takes longer is reported below.
      await within(delay, PATIENCE_MS, watch.run(), 'the broker has not read its list').catch(
        () => undefined,
      );
    }
    if (sessions !== undefined) await endSession(sessions, ca, credential(), id);
    else {
      const fields = { device: identityText(id) };
      log.warn(fields, 'an open connection of the device cannot be ended here: see --broker-sessions');
    }
    const { state, problem } = watch.revocation();
    if (state !== 'current')
      throw new Error(`the broker may let it in again: ${problem ?? 'not tried out yet'}`);
  }

  return {
    url,
    serverUrl: url,
    follow: ({ canary }) => {
      watch.follow(canary);
    },
    renew: () => {
      if (reload === undefined) {
        log.warn({}, 'a broker with the certificate of this server must read it again: see --broker-reload');
        return;
      }
      reload().catch((error: unknown) => {
        log.error({ err: error }, 'the broker could not be made to read its renewed certificate');
      });
    },
    end,
    view: () => ({
      kind: 'external',
      url,
      revocation: watch.revocation(),
      endsSessions: sessions !== undefined,
    }),
    stats: () => undefined,
    close: async () => {
      watch.stop();
    },
  };
}
