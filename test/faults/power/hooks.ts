// `node --import`: everything that asks for node:fs/promises gets the recording one.
import { registerHooks } from 'node:module';

const RECORDING = new URL('recording-fs.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:fs/promises' && context.parentURL !== RECORDING
      ? { url: RECORDING, shortCircuit: true }
      : next(specifier, context),
});
