/** @file Every fault, by kind. */
import type { Fault } from "./fault.ts";
import { fileFaults } from "./files.ts";
import { fuzzFaults } from "./fuzz.ts";

export const faultList: readonly Fault[] = [...fileFaults, ...fuzzFaults];
