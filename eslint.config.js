import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const SOURCE = ['packages/*/src/**/*.ts'];
const TESTS = ['**/*.test.ts', 'test/**', 'packages/*/test/**'];
const MAX_SOURCE_LINES = 350;

/** Which parts of the workspace a package must not import: cli -> {server, agent} -> node -> protocol -> nothing. */
const FORBIDDEN = {
  protocol: { regex: '^(?!\\.{1,2}/)', message: 'protocol imports nothing from outside itself.' },
  node: {
    group: ['@srup/*', 'srup', '!@srup/protocol', '!@srup/protocol/*'],
    message: 'node may use protocol only.',
  },
  agent: {
    group: ['@srup/server', '@srup/server/*', 'srup'],
    message: 'agent and server meet only in bytes.',
  },
  server: {
    group: ['@srup/agent', '@srup/agent/*', 'srup'],
    message: 'agent and server meet only in bytes.',
  },
};

const ESCAPES = {
  regex: '^\\.\\./.*/(protocol|node|agent|server|cli)/src/',
  message: 'Import another package by its name.',
};

const borders = Object.entries(FORBIDDEN).map(([name, pattern]) => ({
  files: [`packages/${name}/src/**/*.ts`],
  ignores: TESTS,
  rules: { 'no-restricted-imports': ['error', { patterns: [pattern, ESCAPES] }] },
}));

const IMPURE = 'protocol is pure: time, randomness and I/O come in as arguments.';

export default defineConfig(
  globalIgnores(['**/dist/', '**/coverage/', '**/.tsc/', '.srup/', 'vectors/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numbers in messages to people are wanted.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `process.env['X']` and `record['key']` say that the key may be absent.
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // After a bounds check `bytes[i] as number` is the honest form; `!` stays forbidden.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // `async` without `await` turns a throw into a rejection, which callers of a port rely on.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        URL: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
      },
    },
  },
  {
    files: SOURCE,
    ignores: TESTS,
    rules: { 'max-lines': ['error', MAX_SOURCE_LINES] },
  },
  {
    files: ['packages/protocol/src/**/*.ts'],
    ignores: TESTS,
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'console',
          'process',
          'Buffer',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'fetch',
          'performance',
          'crypto',
        ].map((name) => ({ name, message: IMPURE })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: IMPURE },
        { object: 'Math', property: 'random', message: IMPURE },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: IMPURE },
        { selector: "CallExpression[callee.name='Date']", message: IMPURE },
      ],
    },
  },
  ...borders,
  {
    files: TESTS,
    rules: {
      // A test names what it knows; a wrong `!` fails the test, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Vitest demands `{}` of a fixture that uses no other.
      'no-empty-pattern': ['error', { allowObjectPatternsAsParameters: true }],
    },
  },
);
