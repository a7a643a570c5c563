import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from './main.ts';

const COLUMNS = 80;

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

/** The name by which a person calls it: `srup ctl codes create`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => COLUMNS });
  command.outputHelp();
  return help;
}

const commands = allOf(createProgram()).map((command) => [pathOf(command), command] as const);

test.each(commands)(`the help of "%s" fits into ${COLUMNS} columns`, (_path, command) => {
  const help = helpOf(command);
  expect(help).toMatch(/^Usage: srup/);
  expect(help.split('\n').filter((line) => line.length > COLUMNS)).toEqual([]);
});

test.each(commands)('the help of "%s" describes the command and its options', (_path, command) => {
  expect(command.description()).not.toBe('');
  expect(command.options.filter(({ description }) => description === '')).toEqual([]);
});
