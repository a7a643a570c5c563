/** The life of a device, from its enrolment to its end, with all that its world sees of it written down. */
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createPerformers, type AgentConfigInput, type OpenPerformers } from '@srup/agent';
import type { TokenKey } from '@srup/protocol';
import { fileListener, serve } from '../../../packages/agent/test/file-server.ts';
import { sha256 } from '../../../packages/agent/test/surroundings.ts';
import { makeWorld, type World } from '../../../packages/agent/test/world.ts';
import { folders, mark, operations, record, stopRecording } from './recording-fs.ts';
import type { Operation } from './disk.ts';

export interface Recording {
  readonly operations: readonly Operation[];
  readonly folders: ReadonlySet<number>;
  readonly world: World;
  readonly config: Partial<AgentConfigInput>;
  readonly openPerformers: OpenPerformers;
  /** Digest to content, of all software that there is. */
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
  close(): Promise<void>;
}

const program = (name: string) => `#!/bin/sh\n# ${name}\nexec sleep 1000\n`;
const BROKEN = '#!/bin/sh\nexit 3\n';
const ACTION = 6;

/** Small enough for the memory, more than one write. */
const PADDING = `\n# ${'x'.repeat(70_000)}\n`;

export async function recordLife(): Promise<Recording> {
  const world = await makeWorld();
  const { broker, c2, home } = world;
  broker.aedes.on('publish', ({ payload }, client) => {
    if (client?.id.startsWith('SRUP Client: ') === true && client.id !== ownClient)
      mark({ what: 'said', bytes: Uint8Array.from(payload as Buffer) });
  });
  const ownClient = `SRUP Client: ${c2.id.toString(16)}`;
  broker.aedes.on('ack', (packet, client) => {
    const { payload } = packet as { payload?: Buffer };
    if (client.id !== ownClient && payload !== undefined)
      mark({ what: 'heard', bytes: Uint8Array.from(payload) });
  });

  const artifacts = new Map<string, Uint8Array>();
  const add = (content: Uint8Array) => {
    const digest = sha256(content);
    artifacts.set(digest, content);
    return digest;
  };
  const factory = add(Buffer.from(program('factory')));
  const plain = add(Buffer.from(program('plain') + PADDING));
  const archive = add(tarOf('run', program('archive') + PADDING));
  const broken = add(Buffer.from(BROKEN));
  const issued = await broker.ca.issue({ commonName: 'files', hosts: ['localhost'] });
  const files = await serve(
    (request, response) => {
      const digest = request.url?.slice(1) ?? '';
      fileListener(
        artifacts.get(digest) ?? Buffer.alloc(0),
        `"${digest}"`,
        () => undefined,
      )(request, response);
    },
    { issued },
  );

  const openPerformers: OpenPerformers = (surroundings) => {
    const real = createPerformers(surroundings);
    return {
      ...real,
      act: (effect) => {
        mark({ what: 'acted', token: effect.token });
        return Promise.resolve({ outcome: 'done' as const });
      },
    };
  };
  const config: Partial<AgentConfigInput> = {
    software: {
      command: ['/bin/sh', '-c', 'if [ -d "$0" ]; then exec sh "$0/run"; else exec sh "$0"; fi', '{path}'],
      factory: `${home}-factory`,
      stopSeconds: 1,
      keep: 1,
    },
    health: { aliveSeconds: 0.05 },
  };
  const { writeFile } = await import('node:fs/promises');
  await writeFile(`${home}-factory`, artifacts.get(factory) as Uint8Array);

  record(home);
  const first = await world.join({ openPerformers }, config);
  mark({ what: 'runs' });
  const answered = async (token: TokenKey, nth = 1) =>
    (await c2.hear('RESPONSE', token, nth)).message.body.status;
  const act = async () => answered(await c2.say('ACTION', { actionId: ACTION }));
  const update = async (digest: string) => {
    const token = await c2.say('INITIATE', { url: `${files.url}/${digest}`, digest });
    await answered(token);
    await c2.say('ACTIVATE', {}, { token });
    return answered(token, 2);
  };
  await act();
  expectStatus(await update(plain), 0x10);
  expectStatus(await update(broken), 0x1f);
  await first.agent.report('temperature', Buffer.from('21'));
  await first.agent.stop();
  const second = await world.start({ openPerformers }, config);
  await second.agent.joined;
  expectStatus(await update(archive), 0x10);
  await act();
  await second.agent.report('temperature', Buffer.from('22'));
  await pause(50); // what was sent is crossed off
  mark({ what: 'leaves' });
  const token = await c2.say('DEREGISTER_CMD', {});
  await answered(token);
  while (second.agent.status().phase !== 'unregistered') await pause(5);
  await second.agent.stop();
  stopRecording();
  return {
    ...{ operations, folders, world, config, openPerformers, artifacts },
    close: async () => {
      await files.close();
      await world.close();
    },
  };
}

function expectStatus(status: number, wanted: number): void {
  if (status !== wanted) throw new Error(`answered ${status.toString(16)}, not ${wanted.toString(16)}`);
}

/** One file in a gzipped tar. */
function tarOf(name: string, text: string): Uint8Array {
  const header = Buffer.alloc(512);
  const content = Buffer.from(text);
  header.write(name, 0);
  header.write('0000755\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return gzipSync(Buffer.concat([header, content, padding, Buffer.alloc(1024)]));
}
