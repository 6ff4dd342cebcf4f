/** @file What a worker says as soon as its script has run. */

export const STARTED = "started";
