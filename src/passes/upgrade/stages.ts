/** @file The versions at which something changed that a model can notice, and what is done about it. */
import type { Stage } from "./change.ts";
import { opset2, opset4, opset5, opset6, opset7, opset9 } from "./early.ts";
import { opset13, opset14, opset16, opset18, opset19, opset20, opset21 } from "./late.ts";
import { opset10, opset11, opset12 } from "./middle.ts";

/** After each stage the graph is one of that version. */
export const stages: readonly (readonly [version: number, stage: Stage])[] = [
  [2, opset2],
  [4, opset4],
  [5, opset5],
  [6, opset6],
  [7, opset7],
  [9, opset9],
  [10, opset10],
  [11, opset11],
  [12, opset12],
  [13, opset13],
  [14, opset14],
  [16, opset16],
  [18, opset18],
  [19, opset19],
  [20, opset20],
  [21, opset21],
];

/** The first opset after `version`, up to 21, in which a node of this operator means something else or is written in another way. */
export function changedSince(opType: string, version: number): number | undefined {
  return stages.find(([target, stage]) => target > version && Object.hasOwn(stage, opType))?.[0];
}
