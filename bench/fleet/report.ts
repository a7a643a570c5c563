import type { FleetFigures } from './run.ts';
import type { StartFigures } from './start.ts';

/** What the product promises. */
const TARGETS = {
  startMs: 1_000,
  idleServerMB: 120,
  agentMiB: 60,
  joinedAMinute: 4_000,
  upMs: 12,
  updatedMs: 4,
};
/** What it promises for this many devices. */
const LARGE = { devices: 10_000, stagedAMinute: 20_000, connectedMB: 1_000, peakMB: 1_200 };
const MB_A_MIB = 2 ** 20 / 1e6;

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
    `  ${verdict(nextStartMs < TARGETS.startMs)}: start under 1 s`,
    `  ${verdict(idleServer * MB_A_MIB < TARGETS.idleServerMB)}: idle under 120 MB`,
    `  ${verdict(idleAgent < TARGETS.agentMiB)}: agent under 60 MiB`,
    '',
  ].join('\n');
}

export function formatFleet(figures: FleetFigures): string {
  const { suite, database, devices, steps, cpu, databaseCpu, memory, profile = [] } = figures;
  const perDevice = (seconds: number) => (seconds * 1000) / devices;
  const each = (seconds: number) => perDevice(seconds).toFixed(1);
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
    `  ${verdict(figures.joinedAMinute >= TARGETS.joinedAMinute)}: 4,000 joined a minute`,
    `  ${verdict(perDevice(cpu.joining) < TARGETS.upMs)}: server under 12 ms of processor a device to come up`,
    `  ${verdict(perDevice(cpu.updating) < TARGETS.updatedMs)}: under 4 ms to be updated`,
    ...(devices < LARGE.devices ? [] : largeVerdicts(figures)),
    '',
  ].join('\n');
}

function largeVerdicts({ stagedAMinute, memory }: FleetFigures): string[] {
  return [
    `  ${verdict(stagedAMinute >= LARGE.stagedAMinute)}: 20,000 INITIATEs staged a minute, every receipt verified`,
    `  ${verdict(memory.connected * MB_A_MIB < LARGE.connectedMB)}: server under 1 GB with 10,000 connected`,
    `  ${verdict(memory.peak * MB_A_MIB < LARGE.peakMB)}: 1.2 GB at most`,
  ];
}
