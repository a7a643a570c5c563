type Environment = Readonly<Record<string, string | undefined>>;

/** How this program was called, so that commands that are printed can be pasted. */
export function programName(env: Environment = process.env): string {
  // npm and npx name the script that they run.
  return (env['npm_lifecycle_event'] ?? '') === '' ? 'srup' : 'npx srup';
}

/** The same for commands within a text. */
export function asTyped(text: string, env: Environment = process.env): string {
  return text.replace(/(?<!npx )\bsrup (?=ctl|up|start|agent|message)/g, `${programName(env)} `);
}
