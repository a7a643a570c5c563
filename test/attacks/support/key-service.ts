/** Calls the key service (P 8) with anything that an attacker can send. */
import { request } from 'node:https';
import { json, text } from 'node:stream/consumers';
import type { Arena } from './arena.ts';

export interface Reply {
  readonly status: number;
  readonly body: Record<string, string>;
}

export function callKeyService(arena: Arena, call: string, body: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = `${arena.site.url}/KeyEx/register/${call}`;
    request(url, { method: 'POST', ca: arena.ca, agent: false }, (answer) => {
      json(answer).then((said) => {
        resolve({ status: answer.statusCode ?? 0, body: said as Record<string, string> });
      }, reject);
    })
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}

/** Reads a public answer of the key service. */
export function askKeyService(arena: Arena, call: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const url = `${arena.site.url}/KeyEx/register/${call}`;
    request(url, { ca: arena.ca, agent: false }, (answer) => {
      text(answer).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
}
