/** @file Every fault, by kind. */
import type { Fault } from "./fault.ts";
import { fileFaults } from "./files.ts";
import { gradientFaults } from "./gradients.ts";
import { graphFaults } from "./graphs.ts";
import { judgeFaults } from "./judge.ts";
import { sizeFaults } from "./sizes.ts";

export const faultList: readonly Fault[] = [
  ...fileFaults,
  ...gradientFaults,
  ...graphFaults,
  ...judgeFaults,
  ...sizeFaults,
];
