/** The key service of a running server keeps to the contract that the agent's tests rely on. */
import { fetchPinnedCa, systemClock } from '@srup/node';
import { testKeyService } from '../../packages/agent/test/contracts/key-service.ts';
import { keyServiceAt, type KeyService } from '../../packages/agent/src/identity/service.ts';
import { TYPE } from '../support/device.ts';
import { test } from '../support/fixtures.ts';
import { startSite, type Site } from '../support/server.ts';

let site: Site;
let service: KeyService;

test.beforeAll(async ({ makeGround }) => {
  site = await startSite(await makeGround());
  const { signal } = new AbortController();
  const ca = await fetchPinnedCa(site.url, site.caFingerprint, signal);
  service = keyServiceAt(site.url, ca, systemClock, signal);
});

testKeyService("the server's", () => ({
  service,
  type: TYPE,
  newCode: async () => {
    const wanted = { type: TYPE, uses: 1 };
    return (await site.api((api) => api.send<{ secret: string }>('POST', '/enrolment-codes', wanted))).secret;
  },
}));
