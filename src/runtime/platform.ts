/** @file Which platform this is. */

export const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;
