import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { failed, ok, warning, type Judgement } from './finding.ts';

const DAY_MS = 86_400_000;
/** Servers look at theirs so often in a life of a certificate, but at least once a day. */
const LOOKS = 24;

export interface Wanted {
  readonly file: string;
  readonly ca: string;
  /** Renewed by itself when this much is left, or a third of its life; later is too late. */
  readonly renewedMs: number;
  /** What to do when it was not. */
  readonly todo: string;
}

/** Validity, and who signed it. */
export async function judgeCertificate(
  { file, ca, renewedMs, todo }: Wanted,
  now: number,
): Promise<Judgement> {
  const certificate = new X509Certificate(await readFile(file));
  const from = certificate.validFromDate.getTime();
  const left = certificate.validToDate.getTime() - now;
  const life = left + now - from;
  const end = certificate.validToDate.toISOString().slice(0, 10);
  if (!certificate.verify(new X509Certificate(ca).publicKey)) {
    return failed(`${file} is not signed by the CA`, todo);
  }
  if (from > now)
    return failed(`${file} is valid from ${new Date(from).toISOString()} on only`, 'Set the clock.');
  if (left <= 0) return failed(`${file} ended on ${end}`, todo);
  if (left < Math.min(renewedMs, life / 3) - Math.min(DAY_MS, life / LOOKS))
    return warning(`${file} ends on ${end} and was not renewed`, todo);
  return ok(`valid until ${end}`);
}
