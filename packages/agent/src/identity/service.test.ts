import { afterAll, beforeAll } from 'vitest';
import { generateKeys, systemClock, type KeySet } from '@srup/node';
import { makeCa, type TestCa } from '../../../node/test/certificates.ts';
import { testKeyService } from '../../test/contracts/key-service.ts';
import { startKeyService, type TestKeyService } from '../../test/key-service.ts';
import { keyServiceAt } from './service.ts';

let ca: TestCa;
let service: TestKeyService;

beforeAll(async () => {
  ca = await makeCa();
  const suites = ['ed25519', 'rsa-sha256'] as const;
  const made = await Promise.all(suites.map(async (suite) => [suite, await generateKeys(suite)] as const));
  const keys = new Map<string, KeySet>(made);
  service = await startKeyService({
    ...{ ca, broker: 'mqtts://localhost:8883', server: 'b9d077e223834cf6' },
    serverPem: (suite) => keys.get(suite)!.signing.publicPem,
  });
});
afterAll(() => service.close());

testKeyService("the agent's tests'", () => ({
  service: keyServiceAt(service.url, ca.pem, systemClock, new AbortController().signal),
  type: 'demo',
  newCode: () => Promise.resolve(undefined),
}));
