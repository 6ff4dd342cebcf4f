/** @file The versions at which something changed that a model can notice, and what is done about it. */
import type { Node } from "../../ir/index.ts";
import type { Stage } from "./change.ts";
import { opset2, opset4, opset5, opset6, opset7, opset9 } from "./early.ts";
import { opset13, opset14, opset16, opset18, opset20, opset21, rewritten18, rewritten19 } from "./late.ts";
import { opset10, opset11, opset12 } from "./middle.ts";
import { operatorsOf21 } from "./operators.ts";

const definitions: readonly (readonly [version: number, stage: Stage])[] = [
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
  [20, opset20],
  [21, opset21],
];

/** After each stage the graph is one of that version. */
export const stages: typeof definitions = [
  ...definitions.filter(([version]) => version <= 18),
  [18, rewritten18],
  [19, rewritten19],
  ...definitions.filter(([version]) => version > 18),
];

/** The first opset after `version`, up to 21, in which a node like this one means something else or is written in another way. */
export function changedSince({ opType, attributes }: Node, version: number): number | undefined {
  // What has another name by opset 21 has not come to mean something else.
  if (!operatorsOf21.has(opType)) return undefined;
  const found = definitions.find(([target, stage]) => {
    const upgrade = Object.hasOwn(stage, opType) ? stage[opType] : undefined;
    return target > version && upgrade && (upgrade.moves === undefined || attributes.has(upgrade.moves));
  });
  return found?.[0];
}
