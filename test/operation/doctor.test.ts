import { chmod, cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { prepareMosquitto } from '../support/mosquitto.ts';
import { runSrup, type Outcome } from '../support/processes.ts';
import { startSite } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Finding {
  readonly check: string;
  readonly verdict: string;
  readonly what: string;
  readonly todo?: string;
}

function findingsOf({ stdout, stderr }: Outcome): Finding[] {
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as { findings: Finding[] }).findings;
}

function wrong(findings: readonly Finding[]): Finding[] {
  // The machine of the test may have a slow or small disk, or an unsynchronized clock, which does not count here.
  return findings.filter(
    ({ check, verdict }) => !/^disk|room|^clock/.test(check) && /failed|warning/.test(verdict),
  );
}

onEachBroker('srup doctor', (broker) => {
  test('finds nothing wrong with a good server and device, and says what is wrong with others', async ({
    ground,
    site,
  }) => {
    const device = await startDevice(ground, site, 'pump');
    const { id } = await untilJoined(site, device);
    const folder = join(ground.folder, 'server');
    const examine = (): Promise<Outcome> =>
      runSrup(['doctor', '--folder', folder, '--url', site.url, '--broker', site.brokerUrl, '--json']);

    // In the folder that the documentation names, with the modes that Mosquitto gives its own files.
    if (broker === 'mosquitto')
      await cp(join(ground.folder, 'mosquitto'), join(folder, 'mosquitto'), { recursive: true });
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

    // A broker that is away refuses nobody.
    if (broker !== 'embedded') await site.external!.kill();
    const ofBroker = (outcome: Outcome): string[] =>
      findingsOf(outcome)
        .filter(({ check }) => check === 'broker')
        .map(({ verdict, what }) => `${verdict}: ${what}`);
    const { host } = new URL(site.brokerUrl);
    const unreached = expect.stringMatching(
      `^failed: ${host} can't be reached: no program listens there`,
    ) as string;
    expect(ofBroker(await examine())).toEqual([
      unreached,
      'untried: what the broker permits and what it denies',
    ]);
    const alone = await runSrup(['doctor', 'agent', '--home', device.home, '--json']);
    expect(ofBroker(alone)).toEqual([unreached]);
  });
});

test('finds what is wrong with the audit trail and its witnesses', async ({ ground }) => {
  const witness = join(ground.folder, 'witness.jsonl');
  const away = 'https://localhost:2/checkpoints';
  const site = await startSite(ground, ['--witness', witness, `${away}?key=4711`]);
  const folder = join(ground.folder, 'server');
  const examine = async (): Promise<Finding[]> =>
    findingsOf(
      await runSrup(['doctor', '--folder', folder, '--url', site.url, '--broker', site.brokerUrl, '--json']),
    ).filter(({ check }) => check === 'audit');
  const told = (findings: readonly Finding[]): string =>
    findings.map(({ verdict, what }) => `${verdict}: ${what}`).join('\n');
  const good = await until('the witness that is away was tried', async () => {
    const found = await examine();
    return found.some(({ verdict }) => verdict === 'failed') ? found : undefined;
  });
  expect(told(good)).toMatch(
    /^ok: the trail is valid: \d+ entries[^]*^ok: \S+witness.jsonl has all entries to/m,
  );
  expect(told(good)).toMatch(
    /^failed: https:\/\/localhost:2\/checkpoints never received a checkpoint and lacks \d+ entries.*ECONNREFUSED/m,
  );
  await site.process.stop();

  // The order is rewritten, and the witness's file is cut.
  const whole = await readFile(witness, 'utf8');
  await writeFile(witness, `${whole.split('\n')[0]}\n`);
  const database = new DatabaseSync(join(folder, 'server', 'fleet.db'));
  database.exec('drop trigger audit_no_update');
  database.exec("update audit set body = replace(body, 'admin', 'nobody') where kind = 'token'");
  database.close();
  const bad = await examine();
  expect(told(bad)).toMatch(/^failed: entry \d+ was changed/m);
  expect(told(bad)).toMatch(
    /^failed: \S+witness.jsonl ends with entry \d+, but had received entry \d+: it was cut/m,
  );
  for (const { todo } of wrong(bad)) expect(todo).toMatch(/\S/);

  // The server says so too, and the alarm stays when the cause is gone.
  const again = await startSite(ground, site.sameAgain);
  const { alarms } = (await again.look<{ alarms: string[] }>('/audit/status'))!;
  expect(alarms).toEqual([expect.stringMatching(/^entry \d+ was changed/)]);
  const restarted = new DatabaseSync(join(folder, 'server', 'fleet.db'));
  restarted.exec("update audit set body = replace(body, 'nobody', 'admin') where kind = 'token'");
  restarted.close();
  expect(told(await examine())).toMatch(
    /^ok: the trail is valid[^]*^warning: alarm of .*: entry \d+ was changed/m,
  );
});

describe.skipIf(isMissing('mosquitto'))('srup doctor [a careless broker]', () => {
  test('finds every rule that is missing', async ({ ground, site }) => {
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
      'accepts clients without a certificate',
      "a device can publish on another one's topic",
      'a device can read what is sent to another one',
      'a device can disconnect another one by using its client id',
      'a revoked certificate is accepted: the broker has not read the revocation list',
    ]);
  });
});

test('says what is wrong with its options', async ({ ground }) => {
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
