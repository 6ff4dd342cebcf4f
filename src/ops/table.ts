/** @file The table of operators: every entry of every family under its qualified name. */
import { attentionOps } from "./attention.ts";
import { constantOps } from "./constant.ts";
import { contribOps } from "./contrib.ts";
import { controlOps } from "./control.ts";
import { convOps } from "./conv.ts";
import { elementwiseOps } from "./elementwise.ts";
import { gatherOps } from "./gather.ts";
import { imageOps } from "./image.ts";
import { lossOps } from "./loss.ts";
import { matmulOps } from "./matmul.ts";
import { movementOps } from "./movement.ts";
import { normOps } from "./norm.ts";
import { poolOps } from "./pool.ts";
import { quantOps } from "./quant.ts";
import { recurrentOps } from "./recurrent.ts";
import { reduceOps } from "./reduce.ts";
import { sequenceOps } from "./sequence.ts";
import { signalOps } from "./signal.ts";
import { slicingOps } from "./slicing.ts";
import type { OpSpec } from "./spec.ts";
import { textOps } from "./text.ts";

/** Facts by qualified operator name. */
export const opTable = {
  ...attentionOps,
  ...constantOps,
  ...contribOps,
  ...controlOps,
  ...convOps,
  ...elementwiseOps,
  ...gatherOps,
  ...imageOps,
  ...lossOps,
  ...matmulOps,
  ...movementOps,
  ...normOps,
  ...poolOps,
  ...quantOps,
  ...recurrentOps,
  ...reduceOps,
  ...sequenceOps,
  ...signalOps,
  ...slicingOps,
  ...textOps,
} satisfies Record<string, OpSpec>;

/** The operators that lithe knows. */
export type OpType = keyof typeof opTable;
