/** The embedded broker as the rest of the server controls it. */
import type { RunningBroker } from './broker.ts';
import type { BrokerControl } from './control.ts';

export interface EmbeddedOptions {
  readonly url: string;
  readonly serverUrl: string;
  /** When the broker started, in ms since 1970. */
  readonly startedAt: number;
}

export function controlEmbedded(
  broker: RunningBroker,
  { url, serverUrl, startedAt }: EmbeddedOptions,
): BrokerControl {
  return {
    url,
    serverUrl,
    follow: ({ crl }) => {
      broker.setTls({ crl });
    },
    renew: (credential) => {
      broker.setTls({ credential });
    },
    end: (id) => broker.disconnect(id),
    view: () => ({
      kind: 'embedded',
      url,
      // It asks the key service at each connection.
      revocation: { state: 'current', since: startedAt },
      endsSessions: true,
    }),
    stats: () => broker.stats(),
    close: () => broker.close(),
  };
}
