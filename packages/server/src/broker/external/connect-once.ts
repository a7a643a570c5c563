import { connectMqtt, type MqttOptions } from '@srup/node';

/** Milliseconds in which the broker must answer. */
const TIMEOUT_MS = 5_000;

export type Brief = Pick<MqttOptions, 'url' | 'ca' | 'cert' | 'key' | 'clientId' | 'username' | 'password'>;

/**
 * Connects with a clean session and leaves at once. Resolves to the reason when the broker refuses the connection.
 *
 * @example
 * const { refused } = await connectOnce({ url: 'mqtts://broker.example:8883', ca, cert, key, clientId: 'SRUP canary' });
 */
export function connectOnce(options: Brief): Promise<{ readonly refused?: string }> {
  return new Promise((resolve) => {
    const link = connectMqtt({ ...options, clean: true, timeoutMs: TIMEOUT_MS });
    const end = (outcome: { readonly refused?: string }): void => {
      link.onConnect = () => undefined;
      link.onDisconnect = () => undefined; // our leaving is not a refusal
      void link.close().finally(() => {
        resolve(outcome);
      });
    };
    link.onConnect = () => {
      end({});
    };
    link.onDisconnect = (refused) => {
      end({ refused });
    };
  });
}
