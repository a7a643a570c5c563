/** What a program sees of the agent's own environment. The rest can hold secrets, or change what a program loads. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'] as const;

/** Marks processes as descendants of one run of the agent: see orphans.ts. */
export const MARK_NAME = 'SRUP_RUN';

/** Names the socket to which the supervised program can connect. */
export const SOCKET_NAME = 'SRUP_SOCKET';

export function makeEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  configured: Readonly<Record<string, string>>,
  mark: string,
): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), ...configured, [MARK_NAME]: mark };
}

/**
 * Replaces `{name}` in every argument by the value of that name. Anything else in braces stays.
 *
 * @example
 * fillCommand(['run', '{path}/bin'], { path: '/opt' }); // ['run', '/opt/bin']
 */
export function fillCommand(command: readonly string[], values: Readonly<Record<string, string>>): string[] {
  return command.map((part) => part.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole));
}
