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

const CLOCK = '/** Before this software existed: such a clock was never set. */';
/** A clock that begins at this time, ms since 1970, when the process does. */
const clockFrom = (start: string): string =>
  `const { UTC, now } = globalThis.Date; const begin = now(); ` +
  `const Date = { UTC, now: () => now() - begin + ${start} };\n${CLOCK}`;

export const MUTATIONS = {
  /** docs/audit.md: the hash of an entry is believed. */
  auditLink: {
    file: 'packages/protocol/src/audit/chain-check.ts',
    from: 'if (linkHash(state.hash, content, sha256) !== hash)',
    to: 'if (false)',
  },
  /** Entries may be missing. */
  auditPlace: {
    file: 'packages/protocol/src/audit/chain-check.ts',
    from: 'if (seq !== state.seq + 1)',
    to: 'if (false)',
  },
  /** Whoever signed a checkpoint, it counts. */
  auditCheckpoint: {
    file: 'packages/protocol/src/audit/checkpoint.ts',
    from: 'key.verify(encodeText(text), signature)',
    to: 'true',
  },
  /** What a witness has is not compared. */
  auditWitness: {
    file: 'packages/protocol/src/audit/chain-check.ts',
    from: 'if (known === hash)',
    to: 'if (known !== undefined)',
  },
  /** P 4.6: whoever is named as the sender is believed. */
  signature: {
    file: 'packages/protocol/src/trust/authentic.ts',
    from: 'if (!isGenuine)',
    to: 'if (false)',
  },
  /** The same check, and that no signature has a length that none can have. */
  signatureLength: {
    file: 'packages/protocol/src/trust/authentic.ts',
    from: 'return signature.length >= least && signature.length <= most;',
    to: 'return true;',
  },
  /** P 5.2: numbers are not looked at. */
  replayWindow: {
    file: 'packages/protocol/src/trust/replay.ts',
    from: 'if (!next.ok) return next;',
    to: 'if (!next.ok) return accept(new FreshMessage(message, authentic.bytes, authentic.header, numbers.window) as Fresh);',
  },
  /** P 5.2: a number may be as far ahead as it likes. */
  boundedJump: {
    file: 'packages/protocol/src/trust/replay.ts',
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
  /** P 6.4: finished tokens are forgotten. */
  finishedTokens: {
    file: 'packages/protocol/src/exchange/memory.ts',
    from: 'const finished = finishedOf(state, token);\n  if (finished !== undefined) {',
    to: 'const finished = finishedOf(state, token);\n  if (false) {',
  },
  /** P 6.4: DATA under a token that was seen is recorded again. */
  repeatedData: {
    file: 'packages/protocol/src/exchange/server.ts',
    from: "if (known?.kind === 'data') return data.takeAgain(known, body);",
    to: "if (known?.kind === 'data') return data.takeData(body, token, moment, facts);",
  },
  /** P 2.4: a message may have ten million bytes. */
  messageSize: {
    file: 'packages/protocol/src/limits.ts',
    from: 'export const MAX_MESSAGE_BYTES = 65_535;',
    to: 'export const MAX_MESSAGE_BYTES = 10_000_000;',
  },
  /** P 10.2: a body may be longer than the limit. */
  bodySize: {
    file: 'packages/agent/src/software/fetch/download.ts',
    from: 'if (partial.size + chunk.length > maxBytes) {',
    to: 'if (false) {',
  },
  /** What is in an archive may have any size. */
  unpackedSize: {
    file: 'packages/agent/src/software/unpack.ts',
    from: 'if (total > maxBytes)',
    to: 'if (false)',
  },
  /** P 10.2: a transfer may be as slow as it likes. */
  leastRate: {
    file: 'packages/agent/src/software/fetch/rate.ts',
    from: 'if (floor.windowMs === 0 || now - start < floor.windowMs) return false;',
    to: 'if (true) return false;',
  },
  /** P 10.2: a redirect may lead from https to http. */
  redirectScheme: {
    file: 'packages/agent/src/software/fetch/address.ts',
    from: 'if (base !== undefined && url.protocol !== base.protocol)',
    to: 'if (false)',
  },
  /** P 10.2: plain http is as good as https. */
  addressScheme: {
    file: 'packages/agent/src/software/fetch/address.ts',
    from: "const schemes = rules.allowHttp ? ['https:', 'http:'] : ['https:'];",
    to: "const schemes = ['https:', 'http:'];",
  },
  /** P 10.2: software may come from any host. */
  allowedHosts: {
    file: 'packages/agent/src/software/fetch/address.ts',
    from: 'if (rules.hosts !== undefined && !isListed(url, rules.hosts))',
    to: 'if (false)',
  },
  /** The file server may show any certificate. */
  fileServerCertificate: {
    file: 'packages/agent/src/ground/connecting.ts',
    from: 'return { agent: false,',
    to: 'return { agent: false, rejectUnauthorized: false,',
  },
  /** P 10.2: whatever was loaded is staged. */
  digest: {
    file: 'packages/agent/src/software/fetch/fetch.ts',
    from: "if (result.end === 'complete' && partial.digest() === digest)",
    to: "if (result.end === 'complete')",
  },
  /** P 8.2: whoever asks gets the certificate. */
  certificateProof: {
    file: 'packages/server/src/keyservice/enrolment/prove.ts',
    from: 'if (!checkProof(public_pem, csrPem, signature)) return BAD_SIGNATURE;',
    to: '',
  },
  /** P 8.5: an id that is taken is given again; `takenRow`: and the database lets it happen. */
  takenIdentity: {
    file: 'packages/server/src/keyservice/enrolment/registration.ts',
    from: 'if (taken !== undefined) {',
    to: 'if (false) {',
  },
  takenRow: {
    file: 'packages/server/src/keyservice/enrolment/registration.ts',
    from: ".insertInto('identities')",
    to: ".replaceInto('identities')",
  },
  /** P 5.1: what waits to be sent is forgotten when the agent ends. */
  durableOutbox: {
    file: 'packages/agent/src/engine/engine.ts',
    from: 'createOutbox(readOutbox(store),',
    to: 'createOutbox([],',
  },
  /** P 4.3, 4.4: sealed fields are sent as they are. */
  sealing: {
    file: 'packages/protocol/src/outbound.ts',
    from: 'body[sealedField.name] = await addressee.sealKey.seal(plaintext, { recipient: addressee.id, header });',
    to: 'void header;',
  },
  /** No check, but a clock that has lost its time: it begins in 1970, or in 2099. */
  clock1970: { file: 'packages/node/src/system.ts', from: CLOCK, to: clockFrom('0') },
  clock2099: { file: 'packages/node/src/system.ts', from: CLOCK, to: clockFrom('UTC(2099, 0, 1)') },
  /** P 6.2: tokens are judged by a clock that nobody has set. */
  clockTrust: {
    file: 'packages/protocol/src/exchange/age.ts',
    from: 'if (!trusted) return false;',
    to: 'void trusted;',
  },
  /** P 9.7: JOIN_CMD is obeyed whosever id is inside. */
  joinTarget: {
    file: 'packages/protocol/src/exchange/join/device.ts',
    from: "if (deviceId !== self) return refuse(state, 'FLOW_TARGET');",
    to: 'void self;',
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
  /** P 7.1: any client id is as good as another. */
  brokerClientId: {
    file: 'packages/server/src/broker/rules.ts',
    from: 'if (clientId !== mqttClientId(id)) {',
    to: 'if (false) {',
  },
  /** A will is taken, and published later. */
  brokerWill: {
    file: 'packages/server/src/broker/rules.ts',
    from: "return will === undefined ? undefined : { code: 'BROKER_WILL', detail: 'a will message is not accepted' };",
    to: 'return undefined;',
  },
  /** P 7.1: a message may be retained. */
  brokerRetain: {
    file: 'packages/server/src/broker/rules.ts',
    from: "if (retain) return { code: 'BROKER_RETAIN', detail: quote(topic) };",
    to: '',
  },
  /** The embedded broker has no memory for wills and for what is retained; with these it has. */
  brokerWillMemory: {
    file: 'packages/server/src/broker/sessions.ts',
    from: 'async delWill(): Promise<void> {',
    to: 'async putWill(): Promise<void> {}\n  async delWill(): Promise<void> {',
  },
  brokerRetainMemory: {
    file: 'packages/server/src/broker/sessions.ts',
    from: 'createRetainedStreamCombi(): Readable {\n    return Readable.from([]);',
    to:
      'readonly #retained: QueuedPacket[] = [];\n' +
      'async storeRetained(packet: QueuedPacket) { this.#retained.push(packet); }\n' +
      'createRetainedStreamCombi(): Readable {\n    return Readable.from(this.#retained);',
  },
  /** P 8.3: a certificate is good whatever the revocation list says. */
  brokerList: {
    file: 'packages/server/src/broker/listener.ts',
    from: '    ca,\n    crl,\n',
    to: '    ca,\n',
  },
  /** P 8.5: nobody asks the key service whether a device may connect. */
  brokerQuestion: {
    file: 'packages/server/src/broker/doors/connect.ts',
    from: 'if (!(await isAllowed(id))) return REVOKED;',
    to: 'void REVOKED;',
  },
  /** P 7.3: a device gets whatever it has subscribed to. */
  brokerReceive: {
    file: 'packages/server/src/broker/rules.ts',
    from: 'if (!isServer) return topic === deviceTopic(id);',
    to: 'if (!isServer) return true;',
  },
  /** P 10.3: what was verified when it was loaded is started as it lies there at ACTIVATE. */
  rehash: {
    file: 'packages/agent/src/software/prepare.ts',
    from: 'if ((await digestOf(file, signal)) !== slot.digest) {',
    to: 'if (false) {',
  },
  /** A symbolic link in a file's place is followed. */
  noFollow: {
    file: 'packages/agent/src/software/chunks.ts',
    from: 'constants.O_RDONLY | constants.O_NOFOLLOW |',
    to: 'constants.O_RDONLY |',
  },
  /** The name may lead to another file than the one that was opened and hashed. */
  sameFile: {
    file: 'packages/agent/src/software/prepare.ts',
    from: 'if (opened.ino !== named.ino || opened.dev !== named.dev) {',
    to: 'if (false) {',
  },
} as const satisfies Record<string, Mutation>;

export type MutationName = keyof typeof MUTATIONS;
