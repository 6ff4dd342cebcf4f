/** @file What sessions take that were not told otherwise, whoever opens them. */
import type { SessionLimits } from "./session.ts";

export interface SessionDefaults {
  readonly limits?: SessionLimits;
  /** What errors call the model. */
  readonly name?: string;
}

let current: SessionDefaults = {};

/** Sets the bounds and the name of every session that is opened later and does not bring its own; for programs, not for libraries. */
export function setSessionDefaults(defaults: SessionDefaults): void {
  current = defaults;
}

export function sessionDefaults(): SessionDefaults {
  return current;
}
