/** @file The same rate throughout. */
import type { Schedule } from "./schedule.ts";

export function constant(): Schedule {
  return () => 1;
}
