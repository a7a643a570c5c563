import { describe, expect, it } from 'vitest';
import { readBody } from './bodies.ts';
import { CALLER_KINDS, callerText, isCaller, type Caller } from './caller.ts';
import { contentHash, linkHash, NO_LINK, type HexSha256 } from './entry.ts';
import { createVerifier } from './verify.ts';

const ALICE: Caller = { kind: 'token', id: '3f2a91c07be4', name: 'alice' };

/** What a hostile file may hold in place of a caller. */
const MALFORMED: readonly [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a number', 7],
  ['a list', ['token', '3f2a', 'alice']],
  ['no members', {}],
  ['no kind', { id: '3f2a', name: 'alice' }],
  ['an unknown kind', { ...ALICE, kind: 'god' }],
  ['a kind that every object has', { ...ALICE, kind: 'toString' }],
  ['a kind in a list', { ...ALICE, kind: ['token'] }],
  ['no id', { kind: 'token', name: 'alice' }],
  ['an id that is a number', { ...ALICE, id: 3 }],
  ['a name that is null', { ...ALICE, name: null }],
  ['a name that is an object', { ...ALICE, name: { toString: 'alice' } }],
];

describe('a caller in words', () => {
  it.each<[Caller | string, string]>([
    [ALICE, 'alice (3f2a91c0)'],
    [{ kind: 'token', id: '047e781b-3f2a-4c07', name: 'root@vm' }, 'root@vm (047e781b)'],
    [{ kind: 'token', id: 'set-up', name: 'the set-up token' }, 'the set-up token (set-up)'],
    [{ kind: 'token', id: '3f2a91c07be4', name: '' }, 'token 3f2a91c07be4'],
    [{ kind: 'person', id: 'p7', name: 'Mia' }, 'Mia (person p7)'],
    [{ kind: 'rollout', id: '3f2a91c07be4', name: 'spring' }, 'spring (rollout 3f2a91c0)'],
    [{ kind: 'program', id: 'sdk', name: 'sdk' }, 'program sdk'],
    [{ kind: 'policy', id: 'demo', name: 'demo' }, 'policy demo'],
    [{ kind: 'time', id: 'nightly', name: '' }, 'time nightly'],
    ['root@vm (047e781b)', 'root@vm (047e781b)'],
    ['', ''],
  ])('%j is "%s"', (caller, text) => {
    expect(callerText(caller)).toBe(text);
  });
});

describe('a caller from outside', () => {
  it.each(CALLER_KINDS)('may be a %s', (kind) => {
    expect(isCaller({ kind, id: '1', name: 'x' })).toBe(true);
  });

  it('may say more than this release knows', () => {
    expect(isCaller({ ...ALICE, site: 'Lisbon' })).toBe(true);
  });

  it.each(MALFORMED)('is malformed with %s', (_what, value) => {
    expect(isCaller(value)).toBe(false);
  });
});

describe.each(['order', 'decision'] as const)('the body of an entry "%s"', (kind) => {
  const body = (by: unknown, more: object = {}) =>
    readBody(kind, JSON.stringify({ order: 'action', token: 't', verdict: 'accept', by, ...more }));

  it('names its caller as a value, or as a text in an earlier release', () => {
    expect(body(ALICE)?.by).toEqual(ALICE);
    expect(body('night shift')?.by).toBe('night shift');
  });

  it('may name the order that it belongs to', () => {
    expect(body(ALICE, { orderId: 'o-1' })?.orderId).toBe('o-1');
    expect(body(ALICE, { orderId: 1 })).toBeUndefined();
  });

  it.each(MALFORMED)('is malformed when its caller has %s', (_what, value) => {
    expect(body(value)).toBeUndefined();
  });
});

describe('a history', () => {
  const sha256: HexSha256 = (data) => {
    let hash = 7n;
    for (const byte of typeof data === 'string' ? new TextEncoder().encode(data) : data)
      hash = BigInt.asUintN(256, (hash ^ BigInt(byte)) * 0x1_0000_01b3n);
    return hash.toString(16).padStart(64, '0');
  };
  const BEGIN = { server: 'b9d077e223834cf6', version: '1', keys: {}, ca: '', messagesBefore: 0 };
  const DEVICE = '27ab54d670b64be2';

  function verify(bys: readonly unknown[]) {
    const verifier = createVerifier({
      sha256,
      importKey: () => {
        throw new TypeError('no keys here');
      },
      fingerprint: () => '',
    });
    const exported = { format: 'srup-audit 1', server: BEGIN.server, exportedAt: 0 };
    verifier.line(JSON.stringify(exported));
    let hash = NO_LINK;
    const orders = bys.map((by, at) => ({ kind: 'order', body: { order: 'action', token: `t${at}`, by } }));
    [{ kind: 'begin', body: BEGIN }, ...orders].forEach(({ kind, body: fields }, at) => {
      const body = JSON.stringify(fields);
      const device = kind === 'order' ? DEVICE : '';
      const content = { seq: at + 1, at: 0, kind, device, evidence: '', body };
      hash = linkHash(hash, contentHash(content, sha256), sha256);
      verifier.line(JSON.stringify({ ...content, hash }));
    });
    verifier.line(JSON.stringify({ end: bys.length + 1, hash }));
    return verifier.finish();
  }

  it('verifies with callers of both releases in it', () => {
    expect(verify(['night shift', ALICE]).findings).toEqual([]);
  });

  it('does not verify with a malformed caller, and names the entry', () => {
    const { ok, findings } = verify(['night shift', { ...ALICE, kind: 'god' }, ALICE]);
    expect([ok, findings.map(({ code, seq }) => [code, seq])]).toEqual([false, [['FORM', 3]]]);
  });
});
