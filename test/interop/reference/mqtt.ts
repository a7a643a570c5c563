/** MQTT as pySRUP's Paho client does it: 3.1.1, a clean session, QoS 1, nothing retained, keep-alive of 60 seconds. */
import mqtt, { type IClientOptions } from 'mqtt';
import type { Link, OpenLink } from './party.ts';

export interface Credentials {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
}

/**
 * pySRUP strips `mqtt://` from what the key service calls the broker and takes the rest as a host name, port 8883.
 * `port`: where this test's broker is instead.
 */
export function overTls(broker: string, { key, certificate, ca }: Credentials, port: number): OpenLink {
  const host = broker.startsWith('mqtt://') ? broker.slice('mqtt://'.length) : broker;
  return async (clientId, filter) => {
    const options: IClientOptions = {
      ...{ protocol: 'mqtts', protocolVersion: 4, host, port, clientId },
      ...{ key, cert: certificate, ca, keepalive: 60, clean: true, reconnectPeriod: 0 },
    };
    const client = mqtt.connect(options);
    await new Promise((resolve, reject) => {
      client.once('connect', resolve).once('error', reject);
      client.once('close', () => {
        reject(new Error('the broker ended the connection'));
      });
    });
    const link: Link = {
      publish: (topic, bytes) => {
        client.publish(topic, bytes, { qos: 1, retain: false });
      },
      subscribe: (more) => {
        client.subscribe(more, { qos: 1 });
      },
      unsubscribe: (less) => {
        client.unsubscribe(less);
      },
      onMessage: () => undefined,
      close: () => client.endAsync(),
    };
    client.on('message', (topic, bytes) => {
      link.onMessage(topic, bytes);
    });
    client.on('error', () => undefined);
    await client.subscribeAsync(filter, { qos: 1 });
    return link;
  };
}
