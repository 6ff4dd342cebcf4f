/** @file Labels of two pictures mixed, and the share by which they are. */

import { DataError, UsageError } from "../../errors.ts";
import { checkLabels } from "../../ir/index.ts";
import { checkCount } from "../../options.ts";
import type { Random } from "../random.ts";
import type { Picture } from "./picture.ts";

export interface MixOptions {
  /** The number of classes. */
  readonly classes: number;
  /** α of the Beta(α, α) distribution of the share; 0 mixes nothing. */
  readonly alpha?: number;
}

export function checkMix({ classes, alpha }: Required<MixOptions>): void {
  checkCount("classes", classes);
  if (!(alpha >= 0 && alpha <= 1000))
    throw new UsageError("alpha is out of range", { expected: "0 to 1000", got: String(alpha) });
}

/** The picture with `share` of its own label and the rest of the other's. */
export function withMixedLabel(picture: Picture, other: Picture, share: number, classes: number): Picture {
  const [own, others] = [targetOf(picture, classes), targetOf(other, classes)];
  const { label: _, ...rest } = picture;
  return { ...rest, target: own.map((value, i) => share * value + (1 - share) * others[i]!) };
}

/** The probability of each class. */
function targetOf({ label, target }: Picture, classes: number): Float32Array {
  if (target?.length === classes) return target;
  if (target || label === undefined) {
    throw new DataError("a label cannot be mixed", {
      expected: `a class index from 0 to ${classes - 1}`,
      got: target ? `probabilities of ${target.length} classes` : "none",
    });
  }
  checkLabels([label], { kind: "classes", count: classes }, () => undefined);
  const certain = new Float32Array(classes);
  certain[label] = 1;
  return certain;
}

/** A draw from Beta(α, α), as X / (X + Y) of two gamma variables; 1 for α = 0. */
export function betaDraw(source: Random, alpha: number): number {
  if (alpha === 0) return 1;
  const [x, y] = [gammaDraw(source, alpha), gammaDraw(source, alpha)];
  return x + y === 0 ? 1 : x / (x + y);
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); below 1 by Γ(α + 1)·U^(1/α). */
function gammaDraw(source: Random, alpha: number): number {
  if (alpha < 1) return gammaDraw(source, alpha + 1) * (1 - source.uniform()) ** (1 / alpha);
  const d = alpha - 1 / 3;
  for (;;) {
    const x = source.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - source.uniform()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
