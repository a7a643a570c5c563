import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { failed, ok, warning, type Judgement } from './finding.ts';

const DAY_MS = 86_400_000;
/** How often a server checks its certificate in the life of one; it does so at least once a day. */
const LOOKS = 24;

export interface Wanted {
  readonly file: string;
  readonly ca: string;
  /** The server or agent renews it when this much is left, or a third of its life. */
  readonly renewedMs: number;
  /** What to do if it was not renewed. */
  readonly todo: string;
}

/** Judges the dates and the issuer of a certificate. */
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
    return failed(`${file} is not valid before ${new Date(from).toISOString()}`, 'Set the clock.');
  if (left <= 0) return failed(`${file} ended on ${end}`, todo);
  if (left < Math.min(renewedMs, life / 3) - Math.min(DAY_MS, life / LOOKS))
    return warning(`${file} ends on ${end} and was not renewed`, todo);
  return ok(`valid until ${end}`);
}
