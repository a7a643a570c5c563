/** `untried`: the check was not possible, which is neither good nor bad. */
export type Verdict = 'ok' | 'untried' | 'warning' | 'failed';

/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** The finding, as part of a sentence. */
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
}

export interface Check {
  readonly name: string;
  readonly run: () => Promise<readonly Judgement[]>;
}

export type Judgement = Omit<Finding, 'check'>;

export const ok = (what: string): Judgement => ({ verdict: 'ok', what });
export const untried = (what: string): Judgement => ({ verdict: 'untried', what });
export const warning = (what: string, todo: string): Judgement => ({ verdict: 'warning', what, todo });
export const failed = (what: string, todo: string): Judgement => ({ verdict: 'failed', what, todo });

/** Runs the checks in order. A check that throws is a finding too. */
export async function runChecks(
  checks: readonly Check[],
  tell: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, run } of checks) {
    const judgements = await run().catch((fault: unknown) => [
      failed(
        `could not be checked: ${(fault as Error).message}`,
        'Run this as the user of the server or agent.',
      ),
    ]);
    for (const judgement of judgements) {
      const finding = { check: name, ...judgement };
      findings.push(finding);
      tell(finding);
    }
  }
  return findings;
}
