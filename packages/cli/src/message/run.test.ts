import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batch, keys, pem, vector } from '../../test/message-vectors.ts';
import { runSrup, startSrup } from '../../test/run-srup.ts';

let folder: string;
const file = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'srup-message-'));
  writeFileSync(file('sender.pub'), keys['sender']!.publicKeyPem);
  writeFileSync(file('other.pub'), keys['other']!.publicKeyPem);
  writeFileSync(file('recipient.key'), keys['recipient']!.privateKeyPem);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('srup message decode', () => {
  const { hex } = vector('ACTION-1');

  async function view(args: string[], input?: string | Uint8Array): Promise<string> {
    const outcome = await runSrup(['message', 'decode', ...args], { ...(input !== undefined && { input }) });
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    return outcome.stdout;
  }

  it('takes hex as argument, from a file, from standard input, and the bytes themselves', async () => {
    const spaced = hex
      .toUpperCase()
      .replace(/(..)/g, '$1 ')
      .replace(/(.{48})/g, '$1\n');
    writeFileSync(file('m.hex'), `${spaced}\n`);
    writeFileSync(file('m.bin'), Buffer.from(hex, 'hex'));
    const expected = await view([hex]);
    expect(expected).toContain('SRUP edition 5, ACTION, 315 bytes');
    expect(await view([spaced])).toBe(expected);
    expect(await view([file('m.hex')])).toBe(expected);
    expect(await view([file('m.bin')])).toBe(expected);
    expect(await view([], spaced)).toBe(expected);
    expect(await view(['-'], Buffer.from(hex, 'hex'))).toBe(expected);
  });

  it('shows every byte with its meaning, without colours where nobody looks', async () => {
    const text = await view([hex, '--key', file('sender.pub')]);
    expect(text).toContain(
      '00001  04                                               type                  ACTION: server to device',
    );
    expect(text).toMatch(/0000a {2}f6 4c 83 23 e2 77 d0 b9 +sender +b9d077e223834cf6\n/);
    expect(text).toMatch(/Signature: valid\n$/);
    expect(text).not.toContain('\u001b');
  });

  it('shows colours where they are wanted', async () => {
    const { stdout } = await runSrup(['message', 'decode', hex], { env: { FORCE_COLOR: '1' } });
    expect(stdout).toContain('\u001b[36m05');
  });

  it('opens', async () => {
    const sealed = vector('HM_JOIN_RESP-1').hex;
    expect(await view([sealed, '--open', file('recipient.key')])).toContain(
      'Opened: "636dd7ad8c004d09b2c391d0cc3aa2b0"',
    );
    expect(await view([vector('HM_JOIN_RESP-4').hex, '-o', file('recipient.key')])).toContain(
      'Opened: 00112233445566778899aabbccddeeff (hex)',
    );
  });

  it('shortens a long field and warns of what no receiver takes', async () => {
    const text = await view(['-'], vector('INITIATE-7').hex);
    expect(text).toContain('and 65023 bytes more');
    expect(text).toContain('A receiver refuses it: WIRE_TOO_LONG, the message is longer than the limit.');
  });

  it('prints one JSON object with --json', async () => {
    const text = await view(['--json', '--key', file('sender.pub'), hex]);
    expect(JSON.parse(text)).toEqual({
      ok: true,
      edition: 5,
      type: 'ACTION',
      sequence: vector('ACTION-1').sequenceId,
      sender: '13389333505314606326',
      token: '3f2b8c1e-9d47-4a6b-8e05-5c7f1a2d9b60',
      body: { actionId: 0 },
      signature: 'valid',
    });
  });

  it('exits 1 for a message that is refused, and shows how far it can be read', async () => {
    const short = await runSrup(['message', 'decode', hex.slice(0, 80)]);
    expect(short).toMatchObject({ code: 1, stderr: '' });
    expect(short.stdout).toContain('Refused: WIRE_SHORT (at byte 40). The message ends inside a field.');
    const forged = await runSrup(['message', 'decode', hex, '--key', file('other.pub')]);
    expect(forged.code).toBe(1);
    expect(forged.stdout).toContain('Signature: invalid');
    const nothing = await runSrup(['message', 'decode', '--json', '0405']);
    expect(nothing.code).toBe(1);
    expect(JSON.parse(nothing.stdout)).toMatchObject({ ok: false, code: 'WIRE_EDITION', offset: 0 });
  });

  it('lets no message steer the terminal', async () => {
    const [made] = await batch('encode', [
      {
        ...{ type: 'DATA', sequence: '1', sender: '1', token: '\u009b31mT\u202e' },
        body: { dataId: '\u001b]0;x\u0007', data: '\u202e\u2066' },
        privateKeyPem: pem('sender', 'privateKeyPem'),
      },
    ]);
    for (const args of [[], ['--json']]) {
      const { stdout } = await runSrup(['message', 'decode', made!['hex'] as string, ...args]);
      // eslint-disable-next-line no-control-regex -- these are what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    }
  });

  it.each<[string, string[], RegExp]>([
    ['a source that is neither hex nor file', ['nowhere.hex'], /"nowhere.hex" is neither hex nor a file/],
    ['a folder', ['.'], /it is a folder/],
    ['a key file that is missing', ['05', '--key', 'nowhere.pem'], /there is no such file/],
    ['a key file that is not a key', ['05', '--key', 'package.json'], /not a public key/],
    ['a recipient that is not an id', ['05', '--recipient', 'me'], /"--recipient" must be/],
  ])('explains %s in two lines', async (_what, args, message) => {
    const { code, stdout, stderr } = await runSrup(['message', 'decode', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^srup: .+\n.+\n$/);
  });
});

describe('srup message encode', () => {
  it('makes one message', async () => {
    const { type, sequenceId, senderId, token, fields, hex, signedBytesHex } = vector('ACTION-1');
    const request = { type, sequence: sequenceId, sender: senderId, token, body: fields };
    const input = JSON.stringify(
      { ...request, id: 1, privateKeyPem: pem('sender', 'privateKeyPem') },
      null,
      2,
    );
    const { code, stdout } = await runSrup(['message', 'encode'], { input });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ id: 1, ok: true, hex, signedHex: signedBytesHex });
  });

  it('explains a wrong request in two lines', async () => {
    const { code, stderr } = await runSrup(['message', 'encode'], { input: '{"type":"ACTION"}' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^srup: "sequence" is missing\.\n.+\n$/);
  });
});

describe('a batch and its surroundings', () => {
  it('takes what a line leaves out from the options', async () => {
    const { hex } = vector('HM_JOIN_RESP-1');
    const options = ['--key', file('sender.pub'), '--open', file('recipient.key')];
    const answers = await batch(
      'decode',
      [{ hex }, { hex, publicKeyPem: pem('other', 'publicKeyPem') }],
      options,
    );
    expect(answers).toMatchObject([
      { ok: true, signature: 'valid', opened: '636dd7ad8c004d09b2c391d0cc3aa2b0' },
      { ok: false, code: 'AUTH_SIGNATURE' },
    ]);
  });

  it('ends quietly when its reader leaves', async () => {
    const child = startSrup(['message', 'decode', '--batch']);
    const line = `${JSON.stringify({ hex: vector('ACTION-1').hex })}\n`;
    let errors = '';
    child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdin!.on('error', () => undefined);
    child.stdout!.once('data', () => {
      child.stdout!.destroy();
      child.stdin!.write(line.repeat(2000));
    });
    child.stdin!.write(line);
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
  });

  it('answers a line at once, without waiting for the next', async () => {
    const child = startSrup(['message', 'decode', '--batch']);
    const lines = child.stdout![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (const id of ['first', 'second']) {
      child.stdin!.write(`${JSON.stringify({ id, hex: '05' })}\n`);
      const { value } = (await lines.next()) as { value: Buffer };
      expect(JSON.parse(value.toString())).toMatchObject({ id });
    }
    child.stdin!.end();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  });

  it('drops a line that is too long, and goes on', async () => {
    const answers = await batch('decode', [
      { id: 1, hex: '00'.repeat(3 << 20) },
      { id: 2, hex: '05' },
    ]);
    expect(answers.map(({ id, line, code }) => [id ?? line, code])).toEqual([
      [1, 'INPUT_LONG'],
      [2, 'WIRE_SHORT'],
    ]);
  });
});
