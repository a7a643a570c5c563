// A version that does not work: it starts, looks healthy for a moment, and dies during its health check.
// The agent goes back to the previous version.
const SECONDS = Number(process.env.DEMO_SECONDS ?? '5');
const { setTimeout } = globalThis;

console.log('version=3.0.0-broken');
console.log('demo thermometer 3.0.0-broken started');

setTimeout(() => {
  console.error('no sensor found');
  process.exitCode = 1;
}, SECONDS * 200);
