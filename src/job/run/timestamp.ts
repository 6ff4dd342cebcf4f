/** @file The time at which a report was made. */

/** Date and minute, UTC. */
export function timestamp(): string {
  return new Date().toISOString().slice(0, 16).replace("T", " ");
}
