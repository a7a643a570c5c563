/** Where this server is reached, as URLs and host names. */
import { DEFAULT_LISTEN, type ServerOptions } from '../options.ts';

type Places = Pick<ServerOptions, 'hosts' | 'listen' | 'publicUrl' | 'publicBrokerUrl' | 'insecurePlainMqtt'>;

/** Names and addresses for the server's certificate: those that people use, and the one that it listens on. */
export function certificateHosts({ hosts = [], listen = DEFAULT_LISTEN }: Places): string[] {
  const isEveryAddress = listen === '0.0.0.0' || listen === '::';
  return isEveryAddress ? [...hosts] : [...hosts, listen];
}

/** The URL for people, devices and files. `port` is where HTTPS listens. */
export function httpsUrl(options: Places, port: number): string {
  return options.publicUrl ?? `https://${firstHost(options)}:${port}`;
}

/** The URL where devices connect to the embedded broker, which listens on this port. */
export function embeddedUrl(options: Places, port: number): string {
  return options.publicBrokerUrl ?? `${scheme(options)}://${firstHost(options)}:${port}`;
}

/** The URL where the server itself connects to the embedded broker. */
export function loopbackUrl(options: Places, port: number): string {
  const { listen = DEFAULT_LISTEN } = options;
  const host = listen === '0.0.0.0' ? '127.0.0.1' : bracketed(listen === '::' ? '::1' : listen);
  return `${scheme(options)}://${host}:${port}`;
}

function scheme({ insecurePlainMqtt }: Places): 'mqtt' | 'mqtts' {
  return insecurePlainMqtt === true ? 'mqtt' : 'mqtts';
}

function firstHost({ hosts: [host = 'localhost'] = [] }: Places): string {
  return bracketed(host);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
