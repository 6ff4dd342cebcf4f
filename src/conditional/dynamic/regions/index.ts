/** @file Regions of pictures that a glance chooses. */
export { exportRegions, regionsOf } from "./export-regions.ts";
export { focusRegions, type RegionOptions } from "./focus-regions.ts";
