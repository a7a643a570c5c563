/** What every key service keeps to (P 8), as this agent calls it: the server's own and the one of the agent's tests. */
import { describe, expect, test } from 'vitest';
import { generateKeys, newIdentity, systemClock, systemRandom, type KeySet } from '@srup/node';
import { identityText, type SuiteName } from '@srup/protocol';
import { askAccess, askRegistration, askStatus, askValidation } from '../../src/identity/calls.ts';
import { makeTlsKey } from '../../src/identity/csr.ts';
import type { KeyService } from '../../src/identity/service.ts';

export interface KeyServiceHarness {
  readonly service: KeyService;
  /** A device type that it takes. */
  readonly type: string;
  /** A code for one registration; undefined when none is needed. */
  readonly newCode: () => Promise<string | undefined>;
}

const CONFIG = { insecurePlainMqtt: false, referenceServer: false };

export function testKeyService(name: string, open: () => KeyServiceHarness): void {
  describe(`the contract of a key service: ${name}`, () => {
    const newId = () => identityText(newIdentity(systemRandom));

    async function register(id: string, keys: KeySet, suite: SuiteName = 'ed25519') {
      const { service, type, newCode } = open();
      const enrolmentCode = await newCode();
      const config = { ...CONFIG, ...(enrolmentCode !== undefined && { enrolmentCode }) };
      return askRegistration(service, { id, type, suite }, keys, config);
    }

    async function registered(id: string, keys: KeySet, suite?: SuiteName) {
      const registration = await register(id, keys, suite);
      if (registration === 'taken') throw new Error(`the id ${id} is taken`);
      return registration;
    }

    const access = async (id: string, keys: KeySet) =>
      askAccess(open().service, id, keys, await makeTlsKey(), systemClock);

    test('it is open, and says whose it is', async () => {
      const status = await askStatus(open().service);
      expect(status).toMatchObject({
        active: true,
        identity: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      });
    });

    test.each(['ed25519', 'rsa-sha256'] as const)(
      'a device of suite %s registers, both prove their keys, and it gets its certificate',
      async (suite) => {
        const [id, keys] = [newId(), await generateKeys(suite)];
        const { server, servicePem, broker } = await registered(id, keys, suite);
        expect(server).toBe((await askStatus(open().service)).identity);
        expect(broker).toMatch(/^mqtts:\/\//);
        expect(await askValidation(open().service, { id, servicePem }, keys, CONFIG)).toBe('done');
        expect(await access(id, keys)).toMatchObject({
          certificate: expect.stringContaining('BEGIN CERTIFICATE') as string,
        });
      },
    );

    test('the same registration again is answered as before, as its answer can get lost', async () => {
      const [id, keys] = [newId(), await generateKeys('ed25519')];
      const first = await registered(id, keys);
      expect(await registered(id, keys)).toEqual(first);
    });

    test('an id stays with the key that took it', async () => {
      const [id, keys, other] = [newId(), await generateKeys('ed25519'), await generateKeys('ed25519')];
      const { servicePem } = await registered(id, keys);
      expect(await register(id, other)).toBe('taken');
      await expect(askValidation(open().service, { id, servicePem }, other, CONFIG)).rejects.toThrow('401');
      expect(await askValidation(open().service, { id, servicePem }, keys, CONFIG)).toBe('done');
    });

    test('there is no certificate before the device has proven its key, nor for an unknown device', async () => {
      const [id, keys] = [newId(), await generateKeys('ed25519')];
      await registered(id, keys);
      expect(await access(id, keys)).toBe('gone');
      expect(await access(newId(), keys)).toBe('gone');
    });

    test('nothing is known of a device that never registered', async () => {
      const [id, keys] = [newId(), await generateKeys('ed25519')];
      const { servicePem } = await registered(newId(), keys);
      expect(await askValidation(open().service, { id, servicePem }, keys, CONFIG)).toBe('gone');
    });
  });
}
