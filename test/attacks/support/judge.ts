/** A program that judges messages as a receiver does. mutant.ts runs it without a check. */
import { text } from 'node:stream/consumers';
import { fromHex, parseIdentity, parseTopic, type Identity } from '@srup/protocol';
import { Receiver, type Hearing, type Party } from '../protocol/scene.ts';

if (import.meta.main) {
  const { role, self, peers, arrivals } = JSON.parse(await text(process.stdin)) as Hearing;
  const identity = (id: string): Identity => parseIdentity(id) as Identity;
  const parties = peers.map(({ id, publicPem }) => {
    return { id: identity(id), keys: { signing: { publicPem } } } as Party;
  });
  const receiver = new Receiver(role, identity(self), parties);
  const verdicts = arrivals.map(({ topic, hex }) => {
    return receiver.verdict(fromHex(hex) as Uint8Array, parseTopic(topic)!);
  });
  console.log(JSON.stringify(verdicts));
}
