import type { RunningServer } from '@srup/server';

/** What the API answers about access, as the server's own lists have it. */
export type TokenView = Awaited<ReturnType<RunningServer['tokens']['list']>>[number];
export type EnrolmentCodeView = Awaited<ReturnType<RunningServer['codes']['list']>>[number];
