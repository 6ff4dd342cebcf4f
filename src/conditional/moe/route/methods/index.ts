/** @file Ways from a dense block to a mixture. One is one file and one line in `routeMethods`; the laws iterate over it. */
import { copy } from "./copy.ts";
import { split } from "./split.ts";

export const routeMethods = { copy: copy(), split: split() } as const;

export type RouteMethodName = keyof typeof routeMethods;

export type { Activity, RouteMethod, RouteSettings } from "./route-method.ts";
