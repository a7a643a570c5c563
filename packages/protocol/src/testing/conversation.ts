/**
 * A device and its server, a hostile network between them, and an attacker beside it. Everything follows from one
 * seed.
 */
import type { DeviceJoin } from '../exchange/device-state.ts';
import type { ServerExchange, Standing } from '../exchange/server-exchange.ts';
import type { ServerCommand, ServerInput } from '../exchange/server-step.ts';
import type { FaultCode } from '../faults.ts';
import type { Identity } from '../identity.ts';
import type { Signed } from '../outbound.ts';
import { createToken, tokenKey, type TokenKey } from '../token.ts';
import { deviceTopic } from '../topics.ts';
import { attack, EVIL, siblingKeys, type Captured, type Ids } from './attacker.ts';
import { deviceEnd, type DeviceEnd, type Fate } from './device-end.ts';
import type { Circumstances } from './end.ts';
import { fakeKeys } from './keys.ts';
import { HOSTILE, lossyLink, type Hostility, type Link } from './link.ts';
import { seededRandom, type SeededRandom } from './random.ts';
import { serverEnd, type Policy, type ServerEnd } from './server-end.ts';
import { createTimeline, type Timeline } from './timeline.ts';

export interface Setting {
  readonly seed: number;
  readonly hostility?: Hostility;
  /** By default both ends begin as joined. */
  readonly join?: DeviceJoin['phase'];
  readonly standing?: Standing;
  readonly policy?: Partial<Policy>;
  readonly fate?: Partial<Fate>;
  readonly serverSpeaksProfile?: boolean;
}

/** What a run went through, and which promises it broke. */
export interface Report {
  readonly link: Link['counts'];
  readonly restarts: number;
  readonly attacks: number;
  readonly refusals: ReadonlyMap<FaultCode, number>;
  /** Each is a broken promise, in words. Empty if all held. */
  readonly broken: readonly string[];
}

export interface Conversation {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly device: DeviceEnd;
  readonly server: ServerEnd;
  newToken(): TokenKey;
  /** Gives a command, again after a crash, until it is committed. */
  command(command: ServerCommand): TokenKey;
  exchange(token: TokenKey): ServerExchange | undefined;
  /** Gives this input as soon as the exchange is in this phase, again after a crash. */
  when(token: TokenKey, phase: ServerExchange['phase'], input: ServerInput): void;
  /** Repeats an input for a while, until its effect is seen: an end can be down, or crash. */
  insist(isDone: () => boolean, attempt: () => Promise<void>): void;
  run(untilMs: number): Promise<Report>;
}

const IDS: Ids = {
  device: 0x27ab_54d6_70b6_4be2n,
  server: 0xb9d0_77e2_2383_4cf6n,
  sibling: 0x2cb8_0b26_3ad4_a0fdn,
};
const DEVICE_SECRET = 1;
const SERVER_SECRET = 2;
const START = Date.UTC(2026, 0, 1);
const INSIST_MS = 2_000;
/** No input is repeated for longer than this after the end of the hostilities. */
const PATIENCE_MS = 300_000;

const SUCCESS: Fate = {
  fetch: () => 'ok',
  install: () => 'active',
  act: () => 'done',
  deliver: () => 'taken',
};

/**
 * Sets up one conversation; `run` plays it.
 *
 * @example
 * const conversation = converse({ seed: 1 });
 * conversation.command({ kind: 'action', actionId: 7 });
 * const { broken } = await conversation.run(600_000);
 */
export function converse(setting: Setting): Conversation {
  const { seed, hostility = HOSTILE, join = 'joined', standing = 'joined' } = setting;
  const random = seededRandom(seed);
  const timeline = createTimeline(START);
  const link = lossyLink(timeline, random, hostility);
  const keys = { device: fakeKeys(DEVICE_SECRET), server: fakeKeys(SERVER_SECRET) };
  const captured: Captured[] = [];
  const broken: string[] = [];
  const numbers = new Map<string, string>();
  let attacks = 0;

  const isHostile = () => timeline.elapsed() < hostility.quietAt;
  // One device in four has a clock that was never set.
  const unset = random.chance(0.25);
  const common = { timeline, random, crash: () => (isHostile() ? hostility.crash : 0) };

  const device = deviceEnd(
    {
      ...common,
      self: IDS.device,
      key: keys.device.sign,
      peer: IDS.server,
      keys: new Map([[IDS.server, keys.server.verify]]),
      clockOffset: unset ? -START : random.below(4_000) - 2_000,
      clockTrusted: !unset,
      post(signed, topic) {
        post('server', IDS.device, signed, topic);
      },
    },
    { ...SUCCESS, ...setting.fate },
    {
      self: IDS.device,
      identification: 'srup-agent/0.1.0 simulated',
      allowHttp: false,
      serverSpeaksProfile: setting.serverSpeaksProfile ?? true,
    },
    join,
  );
  const server = serverEnd(
    {
      ...common,
      self: IDS.server,
      key: keys.server.sign,
      peer: IDS.device,
      keys: new Map([
        [IDS.device, keys.device.verify],
        [IDS.sibling, siblingKeys.verify],
      ]),
      clockOffset: 0,
      clockTrusted: true,
      post(signed, topic) {
        post('device', IDS.server, signed, topic);
      },
    } satisfies Circumstances,
    { confirms: true, joinVerdict: 'accept', takesData: () => true, ...setting.policy },
    standing,
  );

  const ends = { device: device.end, server: server.end };

  function post(to: 'device' | 'server', sender: Identity, { bytes, message }: Signed, topic: string): void {
    const number = `${sender}/${message.sequence}`;
    if (numbers.has(number)) broken.push(`number ${number} was used twice`);
    numbers.set(number, message.type);
    const arrival = { bytes, topic, retained: false };
    captured.push({ arrival, to });
    link.carry(arrival, (it) => ends[to].arrive(it));
    // Both ends are subscribed to the device's topic (P 5.5).
    if (topic === deviceTopic(IDS.device))
      link.carry(arrival, (it) => ends[to === 'device' ? 'server' : 'device'].arrive(it));
  }

  function attackSoon(): void {
    timeline.after(hostility.attackEveryMs * 2 * random.unit(), async () => {
      if (!isHostile()) return;
      const { to, arrival, forged } = attack(random, captured, IDS);
      attacks++;
      const verdict = await ends[to].judge(arrival);
      if (forged && verdict === 'accepted') broken.push(`the ${to} accepted a forged message`);
      attackSoon();
    });
  }

  function insist(isDone: () => boolean, attempt: () => Promise<void>): void {
    timeline.after(0, async () => {
      if (isDone() || timeline.elapsed() > hostility.quietAt + PATIENCE_MS) return;
      await attempt();
      timeline.after(INSIST_MS, () => {
        insist(isDone, attempt);
      });
    });
  }

  const newToken = () => tokenKey(createToken(timeline.clock.now(), random.bytes(10)));
  const exchange = (token: TokenKey) => server.end.state.exchanges[token];

  return {
    timeline,
    random,
    device,
    server,
    newToken,
    exchange,
    insist,
    command(command) {
      const token = newToken();
      insist(
        () => exchange(token) !== undefined,
        () => server.command(command, token),
      );
      return token;
    },
    when(token, phase, input) {
      let seen = false;
      insist(
        () => seen && exchange(token)?.phase !== phase,
        async () => {
          if (exchange(token)?.phase !== phase) return;
          seen = true;
          await server.input(token, input);
        },
      );
    },
    async run(untilMs) {
      if (hostility.attackEveryMs > 0 && timeline.elapsed() === 0) attackSoon();
      await timeline.run(untilMs);
      checkUntouched(broken, device, server);
      return {
        link: link.counts,
        restarts: device.end.restarts + server.end.restarts,
        attacks,
        refusals: sum(device.end.refusals, server.end.refusals),
        broken,
      };
    },
  };
}

/** P 10: nothing happens twice for a token, and nothing at all for a token that no honest end used. */
function checkUntouched(broken: string[], { end, world }: DeviceEnd, server: ServerEnd): void {
  const { switches, acts, deliveries, fetches } = world;
  for (const [what, counts] of Object.entries({ switches, acts, deliveries })) {
    for (const [token, count] of counts) if (count > 1) broken.push(`${count} ${what} for ${token}`);
  }
  const tokens = [switches, acts, deliveries, fetches].flatMap((counts) => [...counts.keys()]);
  const everything = JSON.stringify([end.state, server.end.state, tokens]);
  if (everything.includes(EVIL)) broken.push('a token of the attacker got in');
  const records = server.end.state.records.filter(({ effect }) => effect === 'record');
  if (new Set(records.map(({ token }) => token)).size < records.length)
    broken.push('DATA was recorded twice');
}

function sum(...all: readonly ReadonlyMap<FaultCode, number>[]): ReadonlyMap<FaultCode, number> {
  const total = new Map<FaultCode, number>();
  for (const counts of all)
    for (const [code, count] of counts) total.set(code, (total.get(code) ?? 0) + count);
  return total;
}
