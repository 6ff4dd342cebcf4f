/** @file Pictures of a lower resolution first. */
export { type SmallFirstOptions, smallFirst } from "./small-first.ts";
