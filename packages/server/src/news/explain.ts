import {
  FAULT_MEANING,
  STANDARD_ACTIONS,
  STATUS_MEANING,
  statusName,
  type FlowCode,
  type ServerExchange,
} from '@srup/protocol';

type Kind = ServerExchange['kind'];
type PhaseOf<K extends Kind> = Extract<ServerExchange, { readonly kind: K }>['phase'];

interface PhaseMeaning {
  readonly words: string;
  readonly isOpen?: true;
}

/** Every phase in words, and whether something is still awaited. It promises nothing that no receipt has proven. */
const PHASES: { readonly [K in Kind]: Readonly<Record<PhaseOf<K>, PhaseMeaning>> } = {
  update: {
    initiated: {
      words: 'Asked to fetch the software; waiting for the device to prove that it has it.',
      isOpen: true,
    },
    staged: { words: 'The device proved that it has the software; not activated yet.', isOpen: true },
    activating: { words: 'Asked to activate; waiting for the device to prove what runs.', isOpen: true },
    active: { words: 'The device proved that it runs the new software.' },
    reverted: { words: 'Activation failed; the device proved that it went back to what ran before.' },
    failed: { words: 'The device could not stage the software.' },
    unconfirmed: { words: 'Activation was sent; this device never confirms it, so what runs is not known.' },
    expired: { words: 'No answer in time; what the device did is not known.' },
    cancelled: { words: 'Cancelled before activation.' },
  },
  action: {
    sent: { words: 'Sent; waiting for the device to answer.', isOpen: true },
    done: { words: 'The device proved that it did it.' },
    unknown: { words: 'The device does not know this action.' },
    failed: { words: 'The device did not do it: it failed, or its owner does not allow it.' },
    unconfirmed: { words: 'Sent; this device never confirms actions.' },
    expired: { words: 'No answer in time; whether the device did it is not known.' },
  },
  data: {
    sent: { words: 'Sent; data is not confirmed by devices.' },
    unknown: { words: 'The receiver does not know this data id.' },
    received: { words: 'Received from the device.' },
  },
  identify: {
    sent: { words: 'Asked the device what it is; waiting for its answer.', isOpen: true },
    answered: { words: 'The device said what it is.' },
    expired: { words: 'The device did not say what it is.' },
  },
  join: {
    pending: { words: 'Waiting for an operator to accept or refuse the device.', isOpen: true },
    accepted: { words: 'The device was let in.' },
    refused: { words: 'The device was refused; it may try another kind of join.' },
    failed: { words: 'The join failed; the device was not let in.' },
    expired: {
      words: 'Not decided in time, or the device asked anew since; it was not let in by this request.',
    },
  },
  leave: {
    sent: { words: 'Told to leave; waiting for the device to confirm.', isOpen: true },
    left: { words: 'The device left.' },
    failed: { words: 'The device could not leave.' },
    unconfirmed: { words: 'Told to leave; this device never confirms it.' },
    expired: { words: 'Told to leave; no answer in time.' },
  },
};

/** Actions after which no device is left that could prove them. */
const LAST_WORDS: ReadonlyMap<number, string> = new Map([
  [STANDARD_ACTIONS['power-off'], 'The device said that it powers off; once it is off, it cannot prove it.'],
  [
    STANDARD_ACTIONS['self-destruct'],
    'The device said that it erases itself; once it is erased, it cannot prove it.',
  ],
]);

function meaningOf(exchange: ServerExchange): PhaseMeaning {
  return (PHASES[exchange.kind] as Readonly<Record<string, PhaseMeaning>>)[exchange.phase] as PhaseMeaning;
}

/**
 * Tells whether nothing is awaited any more, neither from the device nor from a person.
 *
 * @example
 * isFinal({ kind: 'action', phase: 'done', ... }); // true
 */
export function isFinal(exchange: ServerExchange): boolean {
  return meaningOf(exchange).isOpen !== true;
}

/**
 * Says what the phase of an exchange means, with the reason that the device gave for a failure.
 *
 * @example
 * explain(exchange); // 'The device proved that it did it.'
 */
export function explain(exchange: ServerExchange): string {
  const { words } = meaningOf(exchange);
  if (exchange.kind === 'update' && exchange.isRollback === true && exchange.phase === 'active') {
    return 'The device proved that it went back to what it had run before.';
  }
  if (exchange.kind === 'action' && exchange.phase === 'done')
    return LAST_WORDS.get(exchange.actionId) ?? words;
  if (exchange.kind === 'update' && exchange.deferral !== undefined && !isFinal(exchange)) {
    return `The device deferred the activation: ${exchange.deferral.reason}${askedAgain(exchange.wakeAt)}`;
  }
  if (exchange.phase === 'expired' && exchange.kind !== 'join') return words + lateAnswer(exchange.status);
  return isFailure(exchange) ? words + reasonOf(exchange.status) : words;
}

function askedAgain(wakeAt: number | undefined): string {
  if (wakeAt === undefined) return '';
  return ` (asked again at ${new Date(wakeAt).toISOString().slice(0, 16).replace('T', ' ')} UTC)`;
}

/** The phase stays what it is, but what the device answered later is worth knowing. */
function lateAnswer(status: number | undefined): string {
  return status === undefined ? '' : ` It answered later.${reasonOf(status)}`;
}

function isFailure({ phase }: ServerExchange): boolean {
  return phase === 'failed' || phase === 'reverted';
}

function reasonOf(status: number | undefined): string {
  if (status === undefined) return '';
  const name = statusName(status);
  const hex = status.toString(16).toUpperCase().padStart(2, '0');
  return name === undefined ? ` Reason: status ${hex}.` : ` Reason: ${STATUS_MEANING[name]} (${hex}).`;
}

/**
 * Says why an exchange did not take a word of a caller.
 *
 * @example
 * throw new FleetError('conflict', explainRefusal('FLOW_STATE', exchange));
 */
export function explainRefusal(code: FlowCode, exchange: ServerExchange): string {
  return `this can't be done now: ${FAULT_MEANING[code]}. ${explain(exchange)}`;
}
