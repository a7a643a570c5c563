/**
 * The checks that a control takes away, one at a time: which text of which source file becomes what. Only processes
 * that a test starts with `takingAway` are changed (mutate.ts); the product itself has no switch for any of them.
 */
export interface Mutation {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

export const MUTATIONS = {
  /** P 4.6: whoever is named as the sender is believed. */
  signature: {
    file: 'packages/protocol/src/security/authentic.ts',
    from: 'if (!key.verify(decoded.signedBytes(), decoded.signature))',
    to: 'if (false)',
  },
  /** The same check, and that no signature has a length that none can have. */
  signatureLength: {
    file: 'packages/protocol/src/security/authentic.ts',
    from: 'if (length < least || length > most)',
    to: 'if (false)',
  },
  /** P 5.2: numbers are not looked at. */
  replayWindow: {
    file: 'packages/protocol/src/security/replay.ts',
    from: 'if (!next.ok) return next;',
    to: 'if (!next.ok) return accept(new FreshMessage(message, authentic.bytes, authentic.header, numbers.window) as Fresh);',
  },
  /** P 5.2: a number may be as far ahead as it likes. */
  boundedJump: {
    file: 'packages/protocol/src/security/replay.ts',
    from: 'if (sequence - known > MAX_SEQUENCE_JUMP && !mayJump)',
    to: 'if (false)',
  },
  /** P 4.3: the lengths inside a sealed field are believed. */
  sealedLengths: {
    file: 'packages/node/src/crypto/rsa-aes-cbc.ts',
    from: 'if (!agree) return undefined;',
    to: '',
  },
  /** P 4.4: a sealed field is for whoever opens it. */
  sealedRecipient: {
    file: 'packages/node/src/crypto/hpke.ts',
    from: 'new DataView(info.buffer).setBigUint64(PURPOSE.length, recipient, true);',
    to: 'void recipient;',
  },
  /** P 2.4: what is left over behind the last field is not looked at. */
  leftovers: {
    file: 'packages/protocol/src/wire/cursor.ts',
    from: "if (this.offset !== this.bytes.length) throw new WireFault('WIRE_TRAILING', this.offset);",
    to: '',
  },
  /** P 7.3: a device publishes to whatever topic it likes. */
  brokerPublish: {
    file: 'packages/server/src/broker/rules.ts',
    from: "return isServer ? parsed.kind === 'device' && parsed.device !== id : parsed.device === id;",
    to: 'return true;',
  },
  /** P 7.3: a device subscribes to what it likes, wildcards too. */
  brokerSubscribe: {
    file: 'packages/server/src/broker/rules.ts',
    from: 'if (!isServer) return filter === deviceTopic(id);',
    to: 'if (!isServer) return true;',
  },
  /** P 7.3: a device gets whatever it has subscribed to. */
  brokerReceive: {
    file: 'packages/server/src/broker/rules.ts',
    from: 'if (!isServer) return topic === deviceTopic(id);',
    to: 'if (!isServer) return true;',
  },
  /** P 10.3: what was verified when it was loaded is started as it lies there at ACTIVATE. */
  rehash: {
    file: 'packages/agent/src/update/prepare.ts',
    from: 'if ((await digestOf(file, signal)) !== slot.digest) {',
    to: 'if (false) {',
  },
  /** A symbolic link in a file's place is followed. */
  noFollow: {
    file: 'packages/agent/src/update/chunks.ts',
    from: 'constants.O_RDONLY | constants.O_NOFOLLOW |',
    to: 'constants.O_RDONLY |',
  },
  /** The name may lead to another file than the one that was opened and hashed. */
  sameFile: {
    file: 'packages/agent/src/update/prepare.ts',
    from: 'if (opened.ino !== named.ino || opened.dev !== named.dev) {',
    to: 'if (false) {',
  },
} as const satisfies Record<string, Mutation>;

export type MutationName = keyof typeof MUTATIONS;
