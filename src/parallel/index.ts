/** @file Parallel networks: branches side by side, and where they run. */
export { partitionBranches } from "./partition/partition-branches.ts";
