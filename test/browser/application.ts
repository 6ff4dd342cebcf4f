/** @file What the application that bundlers build hands to the page. */
import type * as data from "../../src/data/index.ts";
import type * as ir from "../../src/ir/index.ts";
import type * as web from "../../src/runtime/web/index.ts";
import type * as train from "../../src/train/index.ts";

export interface App {
  readonly ir: typeof ir;
  readonly train: typeof train;
  readonly data: typeof data;
  readonly web: typeof web;
}
