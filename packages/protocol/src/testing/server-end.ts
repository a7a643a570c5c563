import { answerMessage, openExchange, serverForbids, stepServer } from '../exchange/server.ts';
import type { ServerExchange, Standing } from '../exchange/server-exchange.ts';
import type {
  JoinVerdict,
  ServerCommand,
  ServerEffect,
  ServerFacts,
  ServerInput,
  ServerStep,
} from '../exchange/server-step.ts';
import type { Moment, SendEffect, Step } from '../exchange/step.ts';
import { tokenKey, type TokenKey } from '../token.ts';
import { deviceTopic } from '../topics.ts';
import { End, type Circumstances, type Mind } from './end.ts';

/** What a server keeps of one device. Its effects, except for messages, are records made in the same commit. */
export interface ServerMemory {
  readonly standing: Standing;
  readonly exchanges: Readonly<Record<TokenKey, ServerExchange>>;
  readonly records: readonly { readonly token: TokenKey; readonly effect: string; readonly detail: string }[];
}

export interface Policy {
  readonly confirms: boolean;
  readonly joinVerdict: JoinVerdict;
  takesData(dataId: string): boolean;
}

export interface ServerEnd {
  readonly end: End<ServerMemory, never>;
  command(command: ServerCommand, token: TokenKey): Promise<void>;
  input(token: TokenKey, input: ServerInput): Promise<void>;
}

type MemoryStep = Step<ServerMemory, SendEffect>;

export function serverEnd(around: Circumstances, policy: Policy, standing: Standing): ServerEnd {
  const factsOf = (memory: ServerMemory): ServerFacts => ({
    ...policy,
    joined: memory.standing === 'joined',
    dismissing: Object.values(memory.exchanges).some(
      ({ kind, phase }) => kind === 'leave' && phase === 'sent',
    ),
  });

  const mind: Mind<ServerMemory, never> = {
    role: 'server',
    initial: { standing, exchanges: {}, records: [] },
    forbids: (memory, type) => serverForbids(memory.standing, type),
    joinToken: () => undefined,
    hear(memory, fresh, moment) {
      const known = memory.exchanges[tokenKey(fresh.message.token)];
      const step = answerMessage(fresh, known, moment, factsOf(memory));
      return 'code' in step ? step : keep(memory, step);
    },
    wakeAt: earliest,
    wake: (memory, moment) => wakeAll(memory, moment, factsOf(memory)),
    // The exchange's own timer sends again what was committed but not sent.
    resume: (memory) => ({ state: memory, effects: [] }),
    topicOf: () => deviceTopic(around.peer),
    perform: () => undefined,
  };
  const end = new End(mind, around);
  return {
    end,
    command: (command, token) =>
      end.input((memory, moment) =>
        memory.exchanges[token] === undefined
          ? keep(memory, openExchange(command, token, moment, factsOf(memory)))
          : { state: memory, effects: [] },
      ),
    input: (token, input) =>
      end.input((memory, moment) => {
        const exchange = memory.exchanges[token];
        if (exchange === undefined) throw new TypeError(`no exchange has the token ${token}`);
        return keep(memory, stepServer(exchange, input, moment, factsOf(memory)));
      }),
  };
}

/** Stores an exchange, and the records that its effects are. */
function keep(memory: ServerMemory, { state, effects, refused }: ServerStep): MemoryStep {
  const { token } = state;
  const records = effects
    .filter((effect) => effect.do !== 'send')
    .map((effect) => ({ token, effect: effect.do, detail: detailOf(effect) }));
  return {
    state: {
      standing: effects.reduce((last, it) => (it.do === 'stand' ? it.standing : last), memory.standing),
      exchanges: { ...memory.exchanges, [token]: state },
      records: [...memory.records, ...records],
    },
    effects: effects.filter((effect) => effect.do === 'send'),
    ...(refused !== undefined && { refused }),
  };
}

function detailOf(effect: Exclude<ServerEffect, SendEffect>): string {
  switch (effect.do) {
    case 'stand':
      return effect.standing;
    case 'prove':
      return effect.what;
    case 'record':
      return effect.dataId;
    case 'identify':
      return effect.identification;
  }
}

function earliest({ exchanges }: ServerMemory): number | undefined {
  const times = Object.values(exchanges).flatMap(({ wakeAt }) => (wakeAt === undefined ? [] : [wakeAt]));
  return times.length === 0 ? undefined : Math.min(...times);
}

function wakeAll(memory: ServerMemory, moment: Moment, facts: ServerFacts): MemoryStep {
  return Object.values(memory.exchanges).reduce<MemoryStep>(
    (step, exchange) => {
      const { state, effects } = keep(step.state, stepServer(exchange, { on: 'time' }, moment, facts));
      return { state, effects: [...step.effects, ...effects] };
    },
    { state: memory, effects: [] },
  );
}
