import { connectMqtt, type MqttOptions } from '@srup/node';

/** For a connection of a moment, in milliseconds. */
const TIMEOUT_MS = 5_000;

export type Brief = Pick<MqttOptions, 'url' | 'ca' | 'cert' | 'key' | 'clientId' | 'username' | 'password'>;

/** Connects with a clean session and leaves at once. The reason when the broker does not let one in. */
export function connectOnce(options: Brief): Promise<{ readonly refused?: string }> {
  return new Promise((resolve) => {
    const link = connectMqtt({ ...options, clean: true, timeoutMs: TIMEOUT_MS });
    const end = (outcome: { readonly refused?: string }): void => {
      link.onConnect = () => undefined;
      link.onDisconnect = () => undefined; // our leaving is no refusal
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
