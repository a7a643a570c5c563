/** Tests with throw-away identities what a broker permits and denies (P 7.3, 8.3). */
import type { X509Certificate } from 'node:crypto';
import type { MqttLink } from '@srup/node';
import { encodeText, identityText, mqttClientId, type Identity } from '@srup/protocol';
import type { ProbeCredential } from '@srup/server';
import { failed, ok, untried, warning, type Judgement } from './finding.ts';
import { greet } from './reach.ts';

/** Milliseconds to wait for what must arrive. */
const PATIENCE_MS = 8_000;
/** What must be left of a broker's certificate, or a quarter of its life. A server renews its own earlier. */
const LATE_MS = 21 * 86_400_000;
/** Milliseconds after which a connection that is still open counts as accepted. */
const LET_IN_MS = 1_500;

export interface Probes {
  readonly url: string;
  readonly ca: string;
  readonly one: ProbeCredential;
  readonly other: ProbeCredential;
  /** A certificate that is on the revocation list; undefined if none was ever revoked. */
  readonly revoked: ProbeCredential | undefined;
}

/** A connected client, and what it received. */
interface Client {
  readonly link: MqttLink;
  readonly topic: string;
  readonly heard: string[];
  isUp(): boolean;
}

const DENIED = 'See "External broker" in docs/operation.md for the rules that a broker needs.';

export async function tryBroker(probes: Probes): Promise<Judgement[]> {
  const found: Judgement[] = [];
  const url = new URL(probes.url);
  const { unreached, refused, shown } = await greet(url, { ca: probes.ca }, LET_IN_MS);
  if (unreached !== undefined) {
    const todo =
      'Check that the broker runs, that address and CA are right (--broker, --broker-ca), and that no firewall is in the way.';
    return [
      failed(`${url.host} can't be reached: ${unreached}`, todo),
      untried('what the broker permits and what it denies'),
    ];
  }
  if (shown !== undefined) found.push(judgeShown(shown, Date.now()));
  found.push(
    refused === undefined
      ? failed('accepts clients without a certificate', DENIED)
      : ok('clients without a certificate are refused'),
  );
  const open: Client[] = [];
  const enter = async (
    credential: ProbeCredential,
    as: Identity = credential.id,
  ): Promise<Client | string> => {
    const client = await connect(probes, credential, as);
    if (typeof client !== 'string') open.push(client);
    return client;
  };
  try {
    found.push(...(await tryRules(probes, enter)));
    found.push(await tryRevoked(probes, enter));
  } finally {
    for (const { link } of open) await link.close();
  }
  return found;
}

/** Judges the certificate that the broker shows. An external broker uses the one it has read, not the one in the folder. */
export function judgeShown(
  { validFromDate, validToDate }: Pick<X509Certificate, 'validFromDate' | 'validToDate'>,
  now: number,
): Judgement {
  const end = validToDate.toISOString().slice(0, 10);
  const life = validToDate.getTime() - validFromDate.getTime();
  if (validToDate.getTime() - now > Math.min(LATE_MS, life / 4))
    return ok(`shows a certificate that is valid until ${end}`);
  return warning(
    `shows a certificate that expires on ${end}: nobody can connect after that`,
    'Make it read its files again (srup up --broker-reload does that), or renew its own certificate.',
  );
}

type Enter = (credential: ProbeCredential, as?: Identity) => Promise<Client | string>;

async function tryRules({ one, other }: Probes, enter: Enter): Promise<Judgement[]> {
  const a = await enter(one);
  if (typeof a === 'string') {
    return /not authorized|bad user|identifier/i.test(a)
      ? [ok('an identity that the key service does not know is refused, as the embedded broker does')]
      : [
          failed(
            `a certificate of this CA is refused: ${a}`,
            'Check cafile, crlfile and the log of the broker.',
          ),
        ];
  }
  const b = await enter(other);
  if (typeof b === 'string')
    return [failed(`a second client is refused: ${b}`, 'See the log of the broker.')];
  await Promise.all([a.link.subscribe([a.topic]), b.link.subscribe([b.topic])]);
  if (!(await passes(a)) || !(await passes(b))) {
    return [failed('a device can not use its own topic', DENIED)];
  }
  return [
    ok('a device can use its own topic'),
    ...(await tryOthers(a, b)),
    await tryClientId(one, other, b, enter),
  ];
}

/** Waits until a message on the client's own topic comes back: the broker has then judged all earlier ones. */
async function passes({ link, topic, heard }: Client): Promise<boolean> {
  const marker = `own ${heard.length} ${performance.now()}`;
  await link.publish(topic, encodeText(marker)).catch(() => undefined);
  return comes(() => heard.includes(marker));
}

async function tryOthers(a: Client, b: Client): Promise<Judgement[]> {
  const found: Judgement[] = [];
  // A broker may answer nothing, answer "no", or end the connection.
  await a.link.publish(b.topic, encodeText('foreign')).catch(() => undefined);
  await passes(b);
  found.push(
    b.heard.includes('foreign')
      ? failed("a device can publish on another one's topic", DENIED)
      : ok("publishing on another one's topic is denied"),
  );
  for (const filter of [b.topic, 'SRUP/#']) await a.link.subscribe([filter]).catch(() => undefined);
  await b.link.publish(b.topic, encodeText('private')).catch(() => undefined);
  await passes(b);
  await comes(() => a.isUp());
  await passes(a);
  found.push(
    a.heard.includes('private')
      ? failed('a device can read what is sent to another one', DENIED)
      : ok('reading what is sent to another one is denied'),
  );
  return found;
}

/** Checks that a client id is bound to its certificate. Otherwise every device could disconnect every other one. */
async function tryClientId(
  one: ProbeCredential,
  other: ProbeCredential,
  b: Client,
  enter: Enter,
): Promise<Judgement> {
  await enter(one, other.id);
  const stays = (await passes(b)) && b.isUp();
  return stays
    ? ok('a client id is bound to its certificate')
    : failed(
        'a device can disconnect another one by using its client id',
        'Mosquitto: use_username_as_clientid true',
      );
}

async function tryRevoked({ revoked }: Probes, enter: Enter): Promise<Judgement> {
  if (revoked === undefined)
    return untried(
      'the revocation list, as no device was revoked yet; "srup ctl broker" shows what the server found',
    );
  const client = await enter(revoked);
  if (typeof client === 'string') return ok('a revoked certificate is refused');
  return warning(
    'a revoked certificate is accepted: the broker has not read the revocation list',
    'srup up --broker-reload makes it read the list. The server accepts nothing from such a device in any case.',
  );
}

async function connect(
  { url, ca }: Probes,
  { chain, key, id }: ProbeCredential,
  as: Identity,
): Promise<Client | string> {
  const { connectMqtt } = await import('@srup/node');
  const link = connectMqtt({ url, ca, cert: chain, key, clientId: mqttClientId(as), clean: true });
  const heard: string[] = [];
  const state = { isUp: false, why: '' };
  link.onMessage = async ({ bytes }) => void heard.push(Buffer.from(bytes).toString());
  link.onConnect = () => (state.isUp = true);
  link.onDisconnect = (reason) => {
    state.isUp = false;
    state.why ||= reason;
  };
  const isUp = (): boolean => state.isUp;
  await comes(() => isUp() || state.why !== '');
  if (isUp()) return { link, topic: `SRUP/${identityText(id)}`, heard, isUp };
  await link.close();
  return state.why || 'no answer in time';
}

async function comes(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  return condition();
}
