import { Argument, type Command } from 'commander';

const AFTER = `
Put it where your shell looks for it:
  bash  srup completion bash \\
          > ~/.local/share/bash-completion/completions/srup
  zsh   srup completion zsh > ~/.srup-completion.zsh
        and add this line to ~/.zshrc: source ~/.srup-completion.zsh
  fish  srup completion fish > ~/.config/fish/completions/srup.fish`;

/** A command, by its path, and the words that can follow it, with their meanings. */
interface Place {
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
}

/** Adds `srup completion`, which makes a script for the shell from the commands of this program. */
export function addCompletionCommand(program: Command): void {
  const scripts: Readonly<Record<string, (places: readonly Place[]) => string>> = {
    bash: bashScript,
    zsh: zshScript,
    fish: fishScript,
  };
  program
    .command('completion')
    .description('print a script with which a shell completes commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(scripts)))
    .addHelpText('after', AFTER)
    .action((shell: string) => {
      process.stdout.write(scripts[shell]?.(placesIn(program)) ?? '');
    });
}

function placesIn(command: Command, path: readonly string[] = [command.name()]): Place[] {
  const subs = command.commands.map((sub) => ({ word: sub.name(), meaning: sub.description() }));
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const options = command.options.flatMap(({ long, description }) =>
    typeof long === 'string' ? [{ word: long, meaning: description }] : [],
  );
  const words = [
    ...subs,
    ...choices.map((word) => ({ word, meaning: '' })),
    ...options,
    { word: '--help', meaning: 'print help' },
  ];
  const below = command.commands.flatMap((sub) => placesIn(sub, [...path, sub.name()]));
  return [{ path: path.join(' '), words }, ...below];
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, words }) => `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`,
  );
  return `# Completion of srup for bash, made by "srup completion bash".
_srup() {
  local place=srup words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
      ${knownPaths(places)}) place="$place \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
# Where no word fits, files do.
complete -o default -F _srup srup
`;
}

function zshScript(places: readonly Place[]): string {
  return `# Made by "srup completion zsh".
autoload -U +X bashcompinit && bashcompinit
${bashScript(places)}`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words }) =>
    words.map(
      ({ word, meaning }) => `complete -c srup -n '__srup_at "${path}"' -a '${word}' -d ${quoted(meaning)}`,
    ),
  );
  return `# Completion of srup for fish, made by "srup completion fish".
function __srup_at
    set -l place srup
    for word in (commandline -opc)[2..]
        switch "$place $word"
            case ${knownPaths(places, ' ')}
                set place "$place $word"
        end
    end
    test "$place" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function knownPaths(places: readonly Place[], separator = ' | '): string {
  return places.map(({ path }) => `'${path}'`).join(separator);
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
