/** @file Which widths of a network can be chosen, and among which counts. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { isSparse, type Model, type NodePattern, nodeMatcher, type Value } from "../../ir/index.ts";
import type { AxisClasses } from "../../ops/index.ts";
import type { WeightAxis } from "../weight-axes.ts";
import type { Width } from "../widths.ts";

/** A width with the counts of its classes that may stay, the largest first; those that stay are its first ones. */
export interface WidthChoice {
  readonly width: Width;
  readonly counts: readonly number[];
}

/** What `open` is open to choice, with the reasons why the rest stays as it is. */
export interface WidthChoices {
  readonly open: readonly WidthChoice[];
  readonly held: readonly { readonly width: Width; readonly reasons: readonly string[] }[];
}

export interface WidthScales {
  /** Shares of each width that may stay; tenths by default. The whole width is always among them. */
  readonly scales?: readonly number[];
  /** Widths that are narrowed are left with multiples of this many positions; 1 by default. */
  readonly round?: number;
  /** Layers whose widths stay, by the names of nodes; `*` stands for any characters. */
  readonly exclude?: readonly NodePattern[];
}

const tenths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** @throws UsageError for scales out of range, and where no width is left to choose */
export function widthChoices(
  model: Model,
  classes: AxisClasses,
  axes: readonly WeightAxis[],
  widths: readonly Width[],
  scales: WidthScales,
): WidthChoices {
  checkScales(scales);
  const blocked = blockedClasses(model, classes, axes);
  const isExcluded = nodeMatcher(scales.exclude ?? []);
  const open: WidthChoice[] = [];
  const held: { width: Width; reasons: string[] }[] = [];
  for (const width of widths) {
    const named = width.axes.some(({ node }) => isExcluded(node)) ? ["excluded by name"] : [];
    const reasons = [...new Set([...named, ...width.classes.flatMap((of) => blocked(of) ?? [])])];
    const counts = reasons.length > 0 || width.classes.length === 0 ? [] : countsOf(width, scales);
    if (counts.length > 1) open.push({ width, counts });
    else held.push({ width, reasons: [...width.held, ...reasons] });
  }
  if (open.length > 0) return { open, held };
  const reasons = [...new Set(held.flatMap((each) => each.reasons))];
  throw new UsageError("no layer of the model has widths to choose among", {
    expected: "layers with float32 weights whose channels nothing needs whole",
    got: reasons.length > 0 ? reasons.slice(0, 4).join("; ") : "none",
  });
}

/** Why a class cannot be masked: zeros in its weights would not be what a cut is. */
function blockedClasses(
  { graph }: Model,
  classes: AxisClasses,
  axes: readonly WeightAxis[],
): (of: number) => string | undefined {
  const computed = new Set<number>();
  const isStored = (value: Value): boolean => {
    const data = graph.initializers.get(value);
    return data !== undefined && !isSparse(data) && data.dtype === "float32";
  };
  for (const axis of axes) if (!isStored(axis.value)) for (const of of axis.classes) computed.add(of);
  return (of) => {
    if (computed.has(of)) return "its weights are computed, or no float32";
    return classes.isMixed(of) ? "an operator's result depends on all of its positions" : undefined;
  };
}

function countsOf({ positions, classes }: Width, { scales = tenths, round = 1 }: WidthScales): number[] {
  const each = positions / classes.length;
  const whole = classes.length;
  const fitting = classes.map((_, i) => i + 1).filter((count) => count === whole || (count * each) % round === 0);
  const counts = scales.map((scale) => nearest(fitting, scale * whole));
  return [...new Set([whole, ...counts])].sort((a, b) => b - a);
}

/** Of two that are as near the smaller one. */
function nearest(ascending: readonly number[], wanted: number): number {
  return ascending.reduce(
    (best, count) => (Math.abs(count - wanted) < Math.abs(best - wanted) ? count : best),
    nth(ascending, 0),
  );
}

function checkScales({ scales = tenths, round = 1 }: WidthScales): void {
  const wrong = scales.find((scale) => !(scale > 0 && scale <= 1));
  if (wrong !== undefined || scales.length === 0)
    throw new UsageError("scales are shares of widths", {
      expected: "numbers above 0 and up to 1",
      got: String(wrong ?? "none"),
    });
  if (!(Number.isSafeInteger(round) && round >= 1))
    throw new UsageError("round must be a whole number of at least 1", { got: String(round) });
}
