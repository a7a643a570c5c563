/** The recorded vectors, and one batch of the real command. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { runSrup } from './run-srup.ts';

export interface Vector {
  readonly id: string;
  readonly type: string;
  readonly style: 'cpp' | 'pysrup';
  readonly signingKey: string | null;
  readonly sequenceId: string;
  readonly senderId: string;
  readonly token?: string;
  readonly tokenHex?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly hex: string;
  readonly signedBytesHex?: string;
  readonly encryptedFor?: string;
  readonly deterministic: boolean;
}

export interface Negative {
  readonly name: string;
  readonly hex: string;
  readonly publicKey: string;
}

export type Line = Record<string, unknown>;

export const { keys, vectors, negative } = JSON.parse(
  readFileSync(new URL('../../../vectors/srup-v5.json', import.meta.url), 'utf8'),
) as {
  keys: Record<string, { privateKeyPem: string; publicKeyPem: string }>;
  vectors: Vector[];
  negative: Negative[];
};

export function pem(
  name: string | null | undefined,
  half: 'privateKeyPem' | 'publicKeyPem',
): string | undefined {
  return name === null || name === undefined ? undefined : keys[name]![half];
}

export function vector(id: string): Vector {
  return vectors.find((one) => one.id === id)!;
}

/** Answers in the order of the requests; a request that is text is sent as it is. */
export async function batch(
  command: 'decode' | 'encode',
  requests: readonly unknown[],
  more: string[] = [],
): Promise<Line[]> {
  const input = requests.map((request) => (typeof request === 'string' ? request : JSON.stringify(request)));
  const outcome = await runSrup(['message', command, '--batch', ...more], { input: `${input.join('\n')}\n` });
  expect(outcome.stderr).toBe('');
  expect(outcome.code).toBe(0);
  return outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
