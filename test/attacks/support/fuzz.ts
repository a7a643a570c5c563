/** A process that fuzzes: for decoders without a check (mutant.ts). Prints what failed. */
import { text } from 'node:stream/consumers';
import { fuzz } from '../../fuzz/fuzz.ts';

const { seed, inputs } = JSON.parse(await text(process.stdin)) as { seed: number; inputs: number };
const { failures } = await fuzz({ seed, inputs, judgesTime: false });
console.log(JSON.stringify(failures));
