/** Where a process spent its time, from the profile that `node --cpu-prof` writes. */

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Share {
  readonly what: string;
  readonly seconds: number;
  /** The part of the time in which the process was not idle. */
  readonly part: number;
}

/** The group of a frame: the first that fits the innermost named frame. Native code counts for its caller. */
const KINDS: readonly (readonly [what: string, fits: RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['signing', /signAside|signOneShot|SignJob|signWith/],
  ['verifying', /verifyOneShot|verifyWith/],
  ['certificates (X.509, CRL)', /x509|asn1|pkijs|authority|webcrypto|subtle/],
  ['SQLite (statements, commits)', /dialect\.ts|node:sqlite/],
  ['building queries (kysely)', /kysely/],
  ['TLS and sockets', /node:(internal\/)?(_?tls|net|stream|_tls|stream_base|streams)/],
  ['broker (aedes)', /aedes|mqemitter|broker\//],
  ['MQTT packets and client', /mqtt|bl\/|readable-stream/],
  ['HTTP', /fastify|node:_?http|node:internal\/http|avvio|light-my-request|find-my-way|helmet|undici/],
  ['schemas (zod)', /zod/],
  ['protocol', /packages\/protocol/],
  ['fleet and store', /packages\/server/],
  ['loading code', /node:internal\/modules|compileFunction|loader|node:internal\/process\/esm/],
];

export function summariseProfile({ nodes, samples, timeDeltas }: Profile): readonly Share[] {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const kinds = new Map<number, string>();

  function kindOf(id: number): string {
    const known = kinds.get(id);
    if (known !== undefined) return known;
    const frame = byId.get(id)?.callFrame;
    const name = `${frame?.functionName ?? ''} ${frame?.url ?? ''}`;
    const own = KINDS.find(([, fits]) => fits.test(name))?.[0];
    const parent = parents.get(id);
    const kind = own ?? (parent === undefined ? 'native, not named' : kindOf(parent));
    kinds.set(id, kind);
    return kind;
  }

  const micros = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const kind = kindOf(id);
    micros.set(kind, (micros.get(kind) ?? 0) + (timeDeltas[at] ?? 0));
  }
  const busy = [...micros].filter(([what]) => what !== 'idle');
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  return busy
    .sort(([, a], [, b]) => b - a)
    .map(([what, time]) => ({ what, seconds: time / 1e6, part: time / total }));
}
