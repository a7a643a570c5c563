/** Threat 12: the nonce of a join can't be read in the message that carries it, whatever the transport (P 4.3, 4.4). */
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeText, identityText, toHex } from '@srup/protocol';
import type { KeySet } from '@srup/node';
import { runWithout } from '../support/mutant.ts';
import type { Composing } from '../support/compose.ts';
import { ALL_SUITES, createParty } from './scene.ts';

const NONCE = '636dd7ad8c004d09b2c391d0cc3aa2b0';

describe.each(ALL_SUITES)('%s', (suite) => {
  let keys: KeySet;

  beforeAll(async () => {
    ({ keys } = await createParty(7n, suite));
  });

  /** HM_JOIN_RESP with the nonce, hex. */
  function composed(...checks: Parameters<typeof runWithout>[0]): Promise<string> {
    const { signing, sealing } = keys;
    const composing: Composing = {
      suite,
      privatePem: signing.privatePem.reveal(),
      signing: signing.publicPem,
      ...(sealing && { sealing: sealing.publicPem }),
      recipient: identityText(7n),
      nonce: NONCE,
    };
    return runWithout(checks, './compose.ts', composing);
  }

  const forms = [toHex(encodeText(NONCE)), NONCE];

  test('the message holds the nonce in no form', async () => {
    const hex = await composed();
    expect(forms.filter((form) => hex.includes(form))).toEqual([]);
  });

  test('without sealing, it can be read', async () => {
    const hex = await composed('sealing');
    expect(forms.filter((form) => hex.includes(form))).toEqual([forms[0]]);
  });
});
