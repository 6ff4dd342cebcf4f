/** @file Every fault, by kind. */
import type { Fault } from "./fault.ts";
import { fileFaults } from "./files.ts";
import { gradientFaults } from "./gradients.ts";
import { judgeFaults } from "./judge.ts";

export const faultList: readonly Fault[] = [...fileFaults, ...gradientFaults, ...judgeFaults];
