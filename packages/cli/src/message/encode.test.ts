import { generateKeys, type KeySet } from '@srup/node';
import type { SuiteName } from '@srup/protocol';
import { describe, expect, it } from 'vitest';
import { batch, pem, vector, vectors } from '../../test/message-vectors.ts';

describe('srup message encode --batch', () => {
  it('gives back every deterministic vector byte for byte', async () => {
    const chosen = vectors.filter(({ deterministic }) => deterministic);
    const decoded = await batch(
      'decode',
      chosen.map(({ id, hex }) => ({ id, hex })),
    );
    const answers = await batch(
      'encode',
      chosen.map(({ signingKey }, at) => ({
        ...decoded[at],
        privateKeyPem: pem(signingKey, 'privateKeyPem'),
      })),
    );
    expect(answers).toEqual(
      chosen.map(({ id, hex, signedBytesHex = hex }) => ({ id, ok: true, hex, signedHex: signedBytesHex })),
    );
  });

  it('makes the vectors from what people write: texts, hex ids, no Hex fields', async () => {
    const head = {
      sequence: '1',
      sender: '0xb9d077e223834cf6',
      token: '3f2b8c1e-9d47-4a6b-8e05-5c7f1a2d9b60',
    };
    const written = [
      ['ACTION-2', { body: { actionId: 1 } }],
      ['INITIATE-2', { body: vector('INITIATE-2').fields, terminatedText: true }],
      ['DATA-24', { body: { dataId: 'température', data: '21 °C ✓' } }],
      ['DATA-25', { body: { dataId: 'blob', dataHex: '00010203FFFE00' } }],
      ['JOIN_CMD-1', { body: { deviceId: '0x0000000000000001' } }],
      ['JOIN_REQ-1', {}],
    ] as const;
    const answers = await batch(
      'encode',
      written.map(([id, request]) => {
        const { type, sequenceId, signingKey } = vector(id);
        return {
          id,
          ...head,
          ...request,
          type,
          sequence: sequenceId,
          privateKeyPem: pem(signingKey, 'privateKeyPem'),
        };
      }),
    );
    expect(answers.map(({ id, hex }) => [id, hex])).toEqual(written.map(([id]) => [id, vector(id).hex]));
  });

  it('takes a list of the texts that end with a NUL', async () => {
    const request = {
      ...{ type: 'INITIATE', sequence: '1', sender: '1', token: 'T', body: { url: 'u', digest: 'd' } },
      privateKeyPem: pem('sender', 'privateKeyPem'),
    };
    const [one] = await batch('encode', [{ ...request, terminatedText: ['digest'] }]);
    expect(one!['signedHex']).toMatch(/0001750002[6]400$/);
    const [back] = await batch('decode', [{ hex: one!['hex'] }]);
    expect(back!['terminatedText']).toEqual(['digest']);
  });

  const REQUEST = { type: 'ACTION', sequence: '1', sender: '1', token: 'T', body: { actionId: 1 } };
  const privateKeyPem = pem('sender', 'privateKeyPem');

  const MISTAKES: readonly (readonly [string, object, RegExp])[] = [
    ['no type', { type: undefined }, /"type" is missing/],
    ['an unknown type', { type: 'ACT' }, /no message type "ACT"/],
    ['no sequence', { sequence: undefined }, /"sequence" is missing/],
    ['a sequence as a number', { sequence: 1 }, /"sequence" must be text/],
    ['a sequence of 2^64', { sequence: '18446744073709551616' }, /below 2\^64/],
    ['no sender', { sender: undefined }, /"sender" is missing/],
    ['a sender in hex without 0x', { sender: 'b9d0' }, /"sender" must be a decimal number/],
    ['a sender that is not hex', { sender: '0xxyz' }, /"sender" must be an id/],
    ['no token', { token: undefined }, /"token" or "tokenHex" is missing/],
    ['an empty token', { token: '' }, /at least one byte/],
    ['two tokens', { token: 'A', tokenHex: '42' }, /not the same bytes/],
    ['a token with half a character', { token: '\ud800' }, /half of a character/],
    ['a body that is none', { body: 5 }, /"body" must be an object/],
    ['a foreign field', { body: { actionId: 1, status: 2 } }, /no field "status": it may have actionId/],
    ['a field of a type that has none', { type: 'ACTIVATE' }, /no field "actionId": it has none/],
    ['a missing field', { body: {} }, /"actionId" must be a whole number/],
    ['a number that does not fit', { body: { actionId: 256 } }, /from 0 to 255/],
    ['a NUL in a text', { type: 'INITIATE', body: { url: 'a\0', digest: '' } }, /carries no NUL/],
    [
      'a field that is too long',
      { type: 'DATA', body: { dataId: '', data: 'x'.repeat(65_536) } },
      /does not fit/,
    ],
    ['terminatedText that is false', { terminatedText: false }, /"terminatedText" must be true/],
    ['edition 2016', { edition: 2016 }, /Only messages of edition 5/],
    ['no key', { privateKeyPem: undefined }, /"privateKeyPem" is missing/],
    ['a misspelt key', { privateKey: 'x' }, /no key "privateKey"/],
  ];

  it('says what is wrong with a request, and goes on', async () => {
    const good = { ...REQUEST, privateKeyPem };
    const answers = await batch('encode', [
      ...MISTAKES.map(([id, change]) => ({ id, ...good, ...change })),
      { id: 'good', ...good },
    ]);
    expect(answers.at(-1)).toMatchObject({ id: 'good', ok: true });
    MISTAKES.forEach(([id, , message], at) => {
      expect(answers[at]).toMatchObject({ id, ok: false, code: 'INPUT_FORM' });
      expect(answers[at]!['message']).toMatch(message);
    });
  });

  it('says what is wrong with a key, and never shows it', async () => {
    const publicPem = pem('sender', 'publicKeyPem');
    const [answer] = await batch('encode', [{ ...REQUEST, privateKeyPem: publicPem }]);
    expect(answer).toMatchObject({ ok: false, code: 'KEY_MALFORMED' });
    expect(JSON.stringify(answer)).not.toContain('MIIB');
  });
});

describe('sealing and opening at the command line', () => {
  it.each<SuiteName>(['rsa-sha256', 'ed25519', 'ml-dsa-65'])('works for %s', async (suite) => {
    const mine: KeySet = await generateKeys(suite);
    const theirs: KeySet = await generateKeys(suite);
    const opener = theirs.sealing ?? theirs.signing;
    const request = {
      ...{ type: 'OBSERVE_REQ', sequence: '9', sender: '77', token: 'T' },
      body: { joiningDeviceId: '5', sealedNonce: '636dd7ad8c004d09b2c391d0cc3aa2b0' },
      privateKeyPem: mine.signing.privatePem.reveal(),
      recipientPublicKeyPem: opener.publicPem,
      recipient: '0xabc',
    };
    const [made] = await batch('encode', [request]);
    const question = {
      hex: made!['hex'],
      publicKeyPem: mine.signing.publicPem,
      openKeyPem: opener.privatePem.reveal(),
    };
    const [good, stranger] = await batch('decode', [
      { ...question, recipient: '2748' },
      { ...question, recipient: '2749' },
    ]);
    expect(good).toMatchObject({ ok: true, signature: 'valid', opened: '636dd7ad8c004d09b2c391d0cc3aa2b0' });
    const bound = suite === 'rsa-sha256' ? { ok: true } : { ok: false, code: 'FLOW_SEAL' };
    expect(stranger).toMatchObject(bound);
  });

  it('asks for the recipient where the seal is bound to one', async () => {
    const { sealing } = await generateKeys('ed25519');
    const [answer] = await batch('decode', [
      { hex: vector('HM_JOIN_RESP-1').hex, openKeyPem: sealing!.privatePem.reveal() },
    ]);
    expect(answer).toMatchObject({
      ok: false,
      code: 'INPUT_FORM',
      message: expect.stringContaining('--recipient') as string,
    });
  });
});
