// The next version of the demo: it also reports humidity and how comfortable that is, in one JSON line.
const VERSION = '2.0.0';
const SECONDS = Number(process.env.DEMO_SECONDS ?? '5');
const { setInterval, clearInterval } = globalThis;

console.log(`demo thermometer ${VERSION} started, now with humidity`);
console.log(`version=${VERSION}`);

let count = 0;
function report() {
  count += 1;
  const temperature = Number((21 + 3 * Math.sin(count / 10) + Math.random() / 5).toFixed(2));
  const humidity = Number((45 + 10 * Math.cos(count / 10) + Math.random()).toFixed(1));
  const comfort = temperature > 19 && temperature < 23.5 && humidity < 55 ? 'good' : 'fair';
  console.log(JSON.stringify({ temperature, humidity, comfort }));
}

report();
const timer = setInterval(report, SECONDS * 1000);

process.on('SIGTERM', () => {
  clearInterval(timer);
  console.log(`demo thermometer ${VERSION} stopped`);
  process.exitCode = 0;
});
