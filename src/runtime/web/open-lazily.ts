/** @file `open.ts` for the import that waits until a session is opened: a bundler warns of a file that is imported both at once and later. */
export { openSession } from "./open.ts";
