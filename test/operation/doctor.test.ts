import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { onEachBroker, startSiteOn } from '../support/brokers.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { prepareMosquitto } from '../support/mosquitto.ts';
import { runSrup, type Outcome } from '../support/processes.ts';
import { newGround, startSite, type Ground } from '../support/server.ts';

interface Finding {
  readonly check: string;
  readonly verdict: string;
  readonly what: string;
  readonly todo?: string;
}

let ground: Ground;

beforeEach(async () => {
  ground = await newGround();
});

afterEach(async () => {
  await ground.clear();
});

function findingsOf({ stdout, stderr }: Outcome): Finding[] {
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as { findings: Finding[] }).findings;
}

function wrong(findings: readonly Finding[]): Finding[] {
  // A machine under load may have a slow disk, and a small one little space: that is not what this is about.
  return findings.filter(({ check, verdict }) => !/^disk|room/.test(check) && /failed|warning/.test(verdict));
}

onEachBroker('srup doctor', (broker) => {
  it('finds nothing wrong with a good server and device, and says what is wrong with others', async () => {
    const site = await startSiteOn(ground, broker);
    const device = await startDevice(ground, site, 'pump');
    const { id } = await untilJoined(site, device);
    const folder = join(ground.folder, 'server');
    const examine = (): Promise<Outcome> =>
      runSrup(['doctor', '--folder', folder, '--url', site.url, '--broker', site.brokerUrl, '--json']);

    const good = findingsOf(await examine());
    expect(wrong(good)).toEqual([]);
    const said = good.map(({ what }) => what);
    expect(said).toContain('clients without a certificate are refused');
    if (broker === 'embedded') expect(said.join()).toContain('does not know is refused');
    else {
      for (const what of [
        'a device can use its own topic',
        "publishing on another one's topic is denied",
        'reading what is sent to another one is denied',
        'a client id is bound to its certificate',
      ]) {
        expect(said).toContain(what);
      }
    }
    expect(site.process.stderr()).not.toContain('the broker is away'); // the running server was not disturbed

    const agent = findingsOf(await runSrup(['doctor', 'agent', '--home', device.home, '--json']));
    expect(wrong(agent)).toEqual([]);
    expect(agent.map(({ what }) => what)).toContain(`${id}, joined`);

    await chmod(join(folder, 'authority', 'ca.key.pem'), 0o644);
    await site.process.stop();
    const bad = await examine();
    expect(bad.code).toBe(1);
    const failures = findingsOf(bad).filter(({ verdict }) => verdict === 'failed');
    expect(failures.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['server', 'permissions', 'https']),
    );
    for (const { todo } of failures) expect(todo).toMatch(/\S/);
  });
});

describe.skipIf(isMissing('mosquitto'))('srup doctor [a careless broker]', () => {
  it('finds every rule that is missing', async () => {
    const site = await startSite(ground);
    await site.process.stop();
    const folder = join(ground.folder, 'server');
    const keys = new DatabaseSync(join(folder, 'key-service', 'identities.sqlite'));
    keys.exec(`insert into identities (id, type, suite, public_pem, state, registered_at)
      values ('c3', 'pump', 'ed25519', 'pem', 'revoked', 1);
      insert into certificates values ('0badcafe', 'c3', 1, 9999999999999, 2);`);
    keys.close();
    const broker = await prepareMosquitto(ground);
    const config = join(ground.folder, 'mosquitto', 'mosquitto.conf');
    const text = await readFile(config, 'utf8');
    const careless = text
      .replace(/^(acl_file|use_username_as_clientid|crlfile|use_identity_as_username) .*\n/gm, '')
      .replace('require_certificate true', 'require_certificate false')
      .replace('allow_anonymous false', 'allow_anonymous true');
    await writeFile(config, careless);
    await broker.start();
    const outcome = await runSrup(['doctor', '--folder', folder, '--broker', broker.url, '--json']);
    const found = findingsOf(outcome).filter(({ check }) => check === 'broker');
    expect(wrong(found).map(({ what }) => what)).toEqual([
      'lets in clients without a certificate',
      "a device can publish on another one's topic",
      'a device can read what is sent to another one',
      'a device can throw another one out by using its client id',
      'a revoked certificate is let in: the broker has not read the revocation list',
    ]);
  });
});

it('is told where to look', async () => {
  await startSite(ground).then(({ process }) => process.stop());
  for (const args of [
    ['doctor', '--folder', ground.folder],
    ['doctor', 'agent', '--home', ground.folder],
    ['doctor', '--folder', join(ground.folder, 'server'), '--broker', 'mqtt://localhost'],
  ]) {
    const { code, stderr } = await runSrup(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^srup: /);
  }
});
