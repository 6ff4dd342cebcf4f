/** @file Every fault, by kind. */
import type { Fault } from "./fault.ts";
import { fileFaults } from "./files.ts";
import { folderFaults } from "./folders.ts";
import { fuzzFaults } from "./fuzz.ts";
import { gradientFaults } from "./gradients.ts";
import { graphFaults } from "./graphs.ts";
import { isolationFaults } from "./isolation.ts";
import { judgeFaults } from "./judge.ts";
import { providerFaults } from "./providers.ts";
import { quantizeFaults } from "./quantize.ts";
import { sizeFaults } from "./sizes.ts";
import { valueFaults } from "./values.ts";

export const faultList: readonly Fault[] = [
  ...fileFaults,
  ...folderFaults,
  ...fuzzFaults,
  ...gradientFaults,
  ...graphFaults,
  ...isolationFaults,
  ...judgeFaults,
  ...providerFaults,
  ...quantizeFaults,
  ...sizeFaults,
  ...valueFaults,
];
