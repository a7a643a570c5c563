/** `npm run bench [-- --json]`: runs every benchmark file, one after the other. */
import { formatSection, type Section } from './report.ts';

const FILES = ['./protocol.ts', './memory.ts', './roundtrip.ts'];

interface Benchmark {
  readonly benchmark: () => Promise<Section[]>;
}

const asJson = process.argv.includes('--json');
const all: Section[] = [];
for (const file of FILES) {
  const { benchmark } = (await import(file)) as Benchmark;
  const sections = await benchmark();
  all.push(...sections);
  if (!asJson) for (const section of sections) console.log(formatSection(section));
}
if (asJson) console.log(JSON.stringify({ node: process.version, sections: all }, undefined, 2));
