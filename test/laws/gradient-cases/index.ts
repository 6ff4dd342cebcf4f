/** @file Small uses of every differentiable operator, for the gradient law. */
import type { GradientCase } from "./case.ts";
import { elementwiseCases } from "./elementwise.ts";
import { layerCases } from "./layers.ts";
import { movementCases } from "./movement.ts";
import { structureCases } from "./structure.ts";

export const gradientCases: readonly GradientCase[] = [
  ...elementwiseCases,
  ...movementCases,
  ...layerCases,
  ...structureCases,
];
