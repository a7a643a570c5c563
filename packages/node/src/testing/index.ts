/** What tests of all packages use of Node. It is not published. */
export { fakeLink, type FakeLink } from './link.ts';
export { until, type Patience } from './until.ts';
