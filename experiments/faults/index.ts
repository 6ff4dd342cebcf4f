/** @file Every fault, by kind. */
import type { Fault } from "./fault.ts";

export const faultList: readonly Fault[] = [];
