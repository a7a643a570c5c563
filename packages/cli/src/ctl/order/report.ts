import type { Api } from '../../client/api.ts';
import { phaseCell } from '../../client/cells.ts';
import { deviceTitles } from '../../client/titles.ts';
import { CTL_EXIT } from '../../failure.ts';
import type { Cell, Output } from '../../screen/output.ts';
import { NOTHING } from '../../screen/words.ts';
import type { Outcome } from './send.ts';
import { countsOf } from './wait.ts';

/** Up to this many devices are all listed; of more, only the failed ones are. */
const TOLD_EACH = 20;
/** The most rows of failed devices; --json has all. */
const TOLD_WRONG = 200;

/** Shows what became of a command, and returns the exit code: 1 unless it succeeded on every device. */
export async function reportOutcomes(
  api: Api,
  output: Output,
  outcomes: readonly Outcome[],
): Promise<number> {
  const wrong = outcomes.filter(({ isGood }) => !isGood);
  if (output.json) {
    const values = outcomes.map(({ device, token, order, phase, isGood, explanation, view }) => ({
      device,
      ok: isGood,
      ...(token === undefined ? {} : { token }),
      ...(order === undefined ? {} : { order }),
      ...(phase === undefined ? {} : { phase }),
      explanation,
      ...(view === undefined ? {} : { exchange: view.exchange }),
    }));
    output.result(values, () => undefined);
  } else {
    const told = (outcomes.length <= TOLD_EACH ? outcomes : wrong).slice(0, TOLD_WRONG);
    const titles = await deviceTitles(
      api,
      told.map(({ device }) => device),
    );
    if (told.length > 0) {
      output.table(
        ['DEVICE', 'PHASE', 'MEANING'],
        told.map((outcome) => [
          titles.get(outcome.device) ?? outcome.device,
          outcomeCell(outcome),
          meaningOf(outcome),
        ]),
      );
    }
    if (outcomes.length > 1) {
      output.line(countsOf(outcomes.map(({ phase }) => phase ?? 'not sent')));
    }
  }
  return wrong.length === 0 ? CTL_EXIT.ok : CTL_EXIT.refused;
}

function outcomeCell({ phase, view, isGood }: Outcome): Cell {
  if (view !== undefined) return phaseCell(view);
  return isGood ? (phase ?? NOTHING) : { text: 'not sent', style: 'red' };
}

function meaningOf({ view, explanation }: Outcome): string {
  const exchange = view?.exchange;
  return exchange?.kind === 'identify' ? (exchange.identification ?? explanation) : explanation;
}
