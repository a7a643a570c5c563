/** What tests of all packages use of Node. It is not published. */
export { until, type Patience } from './until.ts';
