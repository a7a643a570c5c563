/** A program that fuzzes and prints failures. mutant.ts runs it without a check. */
import { text } from 'node:stream/consumers';
import { fuzz } from '../../fuzz/fuzz.ts';

const { seed, inputs } = JSON.parse(await text(process.stdin)) as { seed: number; inputs: number };
const { failures } = await fuzz({ seed, inputs, judgesTime: false });
console.log(JSON.stringify(failures));
