// A tiny device program. Every line `id=value` on stdout becomes DATA; every other line goes to the agent's log.
// It imports nothing, so it also runs when it is stored without its name, as in a slot.
const VERSION = '1.0.0';
const SECONDS = Number(process.env.DEMO_SECONDS ?? '5');
const { setInterval, clearInterval } = globalThis;

console.log(`demo thermometer ${VERSION} started`);
console.log(`version=${VERSION}`);

let count = 0;
function report() {
  count += 1;
  const celsius = 21 + 3 * Math.sin(count / 10) + Math.random() / 5;
  console.log(`temperature=${celsius.toFixed(2)}`);
}

report();
const timer = setInterval(report, SECONDS * 1000);

process.on('SIGTERM', () => {
  clearInterval(timer);
  console.log(`demo thermometer ${VERSION} stopped`);
  process.exitCode = 0;
});
