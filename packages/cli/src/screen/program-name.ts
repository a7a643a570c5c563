type Environment = Readonly<Record<string, string | undefined>>;

/** The name by which this program was called, so that printed commands can be pasted. */
export function programName(env: Environment = process.env): string {
  // npm and npx set this variable.
  return (env['npm_lifecycle_event'] ?? '') === '' ? 'srup' : 'npx srup';
}

/** Writes the commands in a text with that name. */
export function asTyped(text: string, env: Environment = process.env): string {
  return text.replace(/(?<!npx )\bsrup (?=ctl|up|start|agent|message)/g, `${programName(env)} `);
}
