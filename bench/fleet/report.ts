import type { FleetFigures } from './run.ts';
import type { StartFigures } from './start.ts';

/** What the product promises. */
const TARGETS = { startMs: 5_000, idleServerMiB: 200, agentMiB: 60, stagedAMinute: 10_000, serverMiB: 1_536 };

const count = (value: number): string => Math.round(value).toLocaleString('en');
const verdict = (isMet: boolean): string => (isMet ? 'met' : 'NOT MET');

export function formatStart(figures: StartFigures): string {
  const { firstStartMs, nextStartMs, idleServer, peakServer, idleAgent } = figures;
  return [
    'Start',
    `  srup up, first start (makes CA and keys)  ${count(firstStartMs)} ms`,
    `  srup up, later starts                     ${count(nextStartMs)} ms`,
    `  srup up, idle                             ${idleServer} MiB (at most ${peakServer} MiB)`,
    `  srup agent, joined and idle               ${idleAgent} MiB`,
    `  ${verdict(firstStartMs < TARGETS.startMs)}: start under 5 s`,
    `  ${verdict(peakServer < TARGETS.idleServerMiB)}: under 200 MiB`,
    `  ${verdict(idleAgent < TARGETS.agentMiB)}: agent under 60 MiB`,
    '',
  ].join('\n');
}

export function formatFleet(figures: FleetFigures): string {
  const { suite, database, devices, steps, cpu, databaseCpu, memory, profile = [] } = figures;
  const each = (seconds: number) => ((seconds * 1000) / devices).toFixed(1);
  const rows = Object.entries(steps).map(
    ([step, { p50, p95 }]) =>
      `  ${step.padEnd(20)}${p50.toFixed(1).padStart(12)}${p95.toFixed(1).padStart(12)}`,
  );
  return [
    `${count(devices)} devices, ${suite}, ${database}`,
    `  joined ${count(figures.joinedAMinute)} a minute, staged ${count(figures.stagedAMinute)} a minute, active ${count(figures.activeAMinute)} a minute`,
    `  server: ${each(cpu.joining)} ms of processor a device to come up, ${each(cpu.updating)} ms to be updated`,
    ...(databaseCpu === undefined
      ? []
      : [
          `  PostgreSQL: ${each(databaseCpu.joining)} ms of processor a device to come up, ${each(databaseCpu.updating)} ms to be updated`,
        ]),
    `  server: ${memory.connected} MiB with all connected, ${memory.peak} MiB at most; simulator ${figures.simulator} MiB`,
    `  ${''.padEnd(20)}${'p50 ms'.padStart(12)}${'p95 ms'.padStart(12)}`,
    ...rows,
    ...profile.map(
      ({ what, seconds, part }) =>
        `  ${what.padEnd(32)}${seconds.toFixed(1).padStart(8)} s${(part * 100).toFixed(1).padStart(7)} %`,
    ),
    `  ${verdict(figures.stagedAMinute >= TARGETS.stagedAMinute)}: 10,000 INITIATEs a minute, every receipt verified`,
    `  ${verdict(memory.peak < TARGETS.serverMiB)}: server under 1.5 GiB`,
    '',
  ].join('\n');
}
