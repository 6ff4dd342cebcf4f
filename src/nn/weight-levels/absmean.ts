/** @file Ternary weights by their mean magnitude: Ma et al., "The era of 1-bit LLMs" (2024), arXiv:2402.17764 (BitNet b1.58). */
import { straightThrough } from "../straight-through.ts";
import type { WeightLevels } from "./weight-levels.ts";

/** What keeps weights of zeros from dividing by zero. */
const EPSILON = 1e-5;

/** γ·clip(round(W / (γ + ε)), −1, 1) with γ = mean|W| of the whole layer. The gradient of a level is that of its weight. */
export function absmean(): WeightLevels {
  return (n, weight) => {
    const scale = n.mean(n.abs(weight));
    const steps = n.op("Round", [n.div(weight, n.add(scale, EPSILON))]);
    const ternary = n.op("Clip", [steps, n.number(-1), n.number(1)]);
    return straightThrough(n, n.mul(ternary, scale), weight);
  };
}
