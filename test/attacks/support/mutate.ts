/**
 * For `node --import`: takes the checks that `SRUP_TEST_MUTATIONS` names out of the source files as they are loaded.
 * A text that is not found exactly once ends the process: a control must never pass because nothing was taken away.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MUTATIONS, type Mutation, type MutationName } from './mutations.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** `text` without what the mutations take away. */
export function applyMutations(text: string, mutations: readonly Mutation[]): string {
  return mutations.reduce((before, { file, from, to }) => {
    const parts = before.split(from);
    if (parts.length !== 2) {
      throw new Error(`${file} has ${parts.length - 1} places, not 1, that read: ${from}`);
    }
    return parts.join(to);
  }, text);
}

const wanted = process.env['SRUP_TEST_MUTATIONS'];
if (wanted !== undefined && wanted !== '') {
  const byUrl = new Map<string, Mutation[]>();
  for (const name of wanted.split(',')) {
    if (!(name in MUTATIONS)) throw new Error(`no mutation is called ${name}`);
    const mutation = MUTATIONS[name as MutationName];
    const url = pathToFileURL(ROOT + mutation.file).href;
    byUrl.set(url, [...(byUrl.get(url) ?? []), mutation]);
  }
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const mutations = byUrl.get(url);
      if (mutations === undefined) return loaded;
      const { source } = loaded;
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      return { ...loaded, source: applyMutations(text, mutations) };
    },
  });
}
