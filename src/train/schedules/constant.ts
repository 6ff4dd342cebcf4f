/** @file The same rate throughout. */

import { member } from "../../settings/index.ts";
import type { Schedule } from "./schedule.ts";

export function constant(): Schedule {
  return () => 1;
}

member(constant, {});
