// What an agent is compared with: Node.js as it starts, with TLS and an MQTT client, for bench/agent.ts. Arguments: URL of mqtt's
// module, URL of the broker, home of a device that is registered. Without arguments: Node.js alone.
import { readFileSync } from 'node:fs';

const [module, url, home] = process.argv.slice(2);
if (module === undefined) setInterval(() => {}, 60_000);
else {
  const { connect } = (await import(module)).default;
  const read = (...path) => readFileSync([home, ...path].join('/'), 'utf8');
  const { id } = JSON.parse(read('identity.json'));
  const client = connect(url, {
    ca: read('keys', 'ca.pem'),
    cert: read('keys', 'tls.cert.pem'),
    key: read('keys', 'tls.key.pem'),
    clientId: `SRUP Client: ${id}`,
    clean: false,
  });
  client.on('connect', () => client.subscribe(`SRUP/${id}`, { qos: 1 }));
}
