/** @file Dispatches. One is one file and one line in `dispatches`; the laws iterate over it. */
import { byExpert } from "./by-expert.ts";
import { capacity } from "./capacity.ts";
import { dense } from "./dense.ts";
import { dropless } from "./dropless.ts";
import { moeOperator } from "./moe-operator.ts";
import { skipping } from "./skipping.ts";
import { slots } from "./slots.ts";

/** Every dispatch under its name. */
export const dispatches = {
  dropless,
  capacity,
  dense,
  skipping,
  "by-expert": byExpert,
  slots,
  "moe-operator": moeOperator,
} as const;

export type DispatchName = keyof typeof dispatches;

export { type CapacityOptions, type ServeOrder, type ServeOrderName, serveOrders } from "./capacity.ts";
export type { Dispatch, Dispatched } from "./dispatch.ts";
export { byExpert, capacity, dense, dropless, moeOperator, skipping, slots };
