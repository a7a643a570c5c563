import { makeWorld } from './world.ts';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
const world = await makeWorld();
const config = { url: world.service.url, caFingerprint: world.broker.ca.fingerprint, type: 'demo' };
for (const flags of [[], [], ['--max-semi-space-size=1'], ['--max-semi-space-size=1','--v8-pool-size=1'],['--optimize-for-size','--max-semi-space-size=1','--v8-pool-size=0']]) {
  const t=performance.now();
  const child = spawn(process.execPath, [...flags, 'packages/agent/test/child.ts', world.home, JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/work/main' });
  const ready = new Promise((r) => child.stdout!.once('data', r));
  if (flags.length === 0 && world.c2.heard.length === 0) { await world.meet(); await world.c2.accept(); }
  await ready;
  const ms=performance.now()-t;
  await new Promise((r) => setTimeout(r, 4000));
  const s = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
  console.log(flags.join(' '), Math.round(ms),'ms', s.match(/^(Rss|Pss|Private_Dirty|Anonymous):.*$/gm)!.join(' '));
  child.kill('SIGKILL');
  await new Promise((r) => child.once('exit', r));
}
await world.close();
process.exit(0);
