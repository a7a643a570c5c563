import { Counter, Gauge, type Registry } from 'prom-client';

/** Makes gauges and counters whose values are set when somebody asks for the metrics. */
export function instruments(registry: Registry) {
  const registers = [registry];
  return {
    gauge: <Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
      new Gauge({ name, help, labelNames, registers }),
    counter: <Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> =>
      new Counter({ name, help, labelNames, registers }),
  };
}
