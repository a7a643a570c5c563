import { z } from 'zod';
import { JOIN_VERDICTS } from '../vocabulary.ts';

const joinVerdict = z.enum(JOIN_VERDICTS);

export const joinDecision = z.object({ verdict: joinVerdict.exclude(['ask']) });

export const byType = z.object({
  type: z.string().min(1).max(100).describe('a device type, or * for all others'),
});

export const joinRule = z.object({ verdict: joinVerdict });

/** Verdicts by device type. */
export const joinPolicy = z.record(z.string(), joinVerdict).readonly();
