/** @file Gradients that no exchange can mend. */
import { RuntimeError } from "../../errors.ts";
import type { LocalGradient } from "./exchange.ts";

/** @throws RuntimeError that names the first tensor with a value that is not finite: it would stay in the memory, and reach all ranks */
export function requireFinite(gradients: readonly LocalGradient[], rank: number): void {
  for (const { name, values } of gradients) {
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong === undefined) continue;
    throw new RuntimeError("a gradient is not finite", {
      got: String(wrong),
      where: `tensor ${JSON.stringify(name)} of rank ${rank}`,
      hint: "A smaller learning rate, or gradients clipped, may keep training finite.",
    });
  }
}
