/** What the rest of the server wants of its broker, wherever that is (P 8.3, 10.8). */
import { systemRandom } from '@srup/node';
import { realDelay } from '@srup/node';
import type { BrokerView } from '../api/forms/broker.ts';
import type { Credential } from '../authority/authority.ts';
import type { Clock, Identity } from '@srup/protocol';
import type { ServerOptions } from '../options.ts';
import { readSessionsPassword } from '../vault/broker-access.ts';
import type { Vault } from '../vault/vault.ts';
import type { RunningBroker } from './broker.ts';
import { watchExternal, type ExternalBroker } from './external/external.ts';

export interface BrokerControl {
  /** A new revocation list. */
  setCrl(crl: string, canary: Credential): void;
  /** The server's certificate for TLS was renewed. */
  renewed(credential: Credential): void;
  /** Ends the identity's session. Rejects while the broker lets it in. */
  end(id: Identity): Promise<void>;
  view(): BrokerView;
  stop(): void;
}

/** `url`: where devices connect. */
export async function openExternal(
  { broker, folder, log }: ServerOptions,
  vault: Vault,
  clock: Clock,
): Promise<ExternalBroker | undefined> {
  if (broker === undefined) return undefined;
  const { sessionsUrl, reload } = broker;
  return watchExternal({
    url: broker.url,
    ca: broker.ca ?? vault.keyService.authority.caPem,
    ...(reload !== undefined && { reload }),
    ...(sessionsUrl !== undefined && {
      sessions: { url: sessionsUrl, password: await readSessionsPassword(folder) },
    }),
    credential: () => vault.credentials.mqtt(),
    ...{ clock, random: systemRandom, delay: realDelay },
    log,
  });
}

/** Until the embedded broker runs, there is nobody who could be let in. */
export function controlBroker(
  external: ExternalBroker | undefined,
  embedded: { readonly broker?: RunningBroker },
  url: () => string,
  options: Pick<ServerOptions, 'log' | 'broker'>,
  startedAt: number,
): BrokerControl {
  const { log } = options;
  return {
    setCrl: (crl, canary) => {
      embedded.broker?.setTls({ crl });
      external?.follow(canary);
    },
    renewed: (credential) => {
      embedded.broker?.setTls({ credential });
      if (options.broker !== undefined && options.broker.reload === undefined)
        log.warn(
          {},
          'a broker that shows the certificate of this server must read it again (--broker-reload)',
        );
      external?.reload().catch((error: unknown) => {
        log.error({ err: error }, 'the broker was not told of its new certificate');
      });
    },
    end: async (id) => {
      await embedded.broker?.disconnect(id);
      await external?.end(id);
    },
    view: () => ({
      kind: external === undefined ? 'embedded' : 'external',
      url: url(),
      // The embedded broker asks the key service at each connection.
      revocation: external?.revocation() ?? { state: 'current', since: startedAt },
      endsSessions: external?.endsSessions ?? true,
    }),
    stop: () => external?.stop(),
  };
}
