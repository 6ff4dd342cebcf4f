/** @file What the outputs of a changed model may differ by from those of its original, and the differences in words. */
import type { DataType, Model } from "../ir/index.ts";
import type { Agreement } from "./agreement.ts";
import { isFloat, type OutputAgreement } from "./distance.ts";

/**
 * ‖a − b‖ / ‖a‖ of an output above which a form computes something else, although classes may agree. Forms that hold lose 0.2 at most;
 * what is at right angles to the original is 1 and more away.
 */
export const LARGEST_ERROR = 0.5;

/** What rounding may change in an output of this type, relative to its norm; one element may differ by as much of the largest. */
const rounding: Partial<Record<DataType, number>> = {
  float64: 1e-6,
  float32: 1e-4,
  float16: 1e-2,
  bfloat16: 8e-2,
};

/** Where values are rounded to integers on the way, another rounding before that may move some by a whole step. */
const STEPS = 5e-2;

export interface Lossy {
  /** The largest ‖a − b‖ / ‖a‖ of an output of floats; infinity: any. */
  readonly relative: number;
  /** Whether outputs may be infinite or NaN where those of the original are finite. */
  readonly notFinite?: boolean;
}

/** Outputs of other dims or types than the original's, or that only one of the two has, in sentences. */
function mismatches({ perOutput, missing }: Pick<Agreement, "perOutput" | "missing">): string[] {
  const found = perOutput.flatMap(({ name, mismatch }) =>
    mismatch === undefined ? [] : [`${of(name)} has ${mismatch}`],
  );
  return [...missing, ...found];
}

/** Outputs that are not finite where those of the original are, in sentences. */
function lostNumbers({ perOutput }: Pick<Agreement, "perOutput">): string[] {
  return perOutput.flatMap(({ name, notFinite, elements }) =>
    notFinite.onlyB === 0
      ? []
      : [`${of(name)} is not finite in ${notFinite.onlyB} of ${elements} elements that are finite in the original`],
  );
}

/** Why a form that may lose something cannot stand for the original: one sentence per output at fault. */
export function lossyFaults(agreement: Pick<Agreement, "perOutput" | "missing">, bound: Lossy): string[] {
  const faults = [...mismatches(agreement), ...(bound.notFinite ? [] : lostNumbers(agreement))];
  if (faults.length > 0) return faults;
  return agreement.perOutput.flatMap((output) =>
    !isFloat(output) || output.relative <= bound.relative || (bound.notFinite && output.notFinite.onlyB > 0)
      ? []
      : [`${of(output.name)} has a relative error of ${short(output.relative)}, bound ${bound.relative}`],
  );
}

/** Why a step that should do no more than round cannot stand: one sentence per output at fault. */
export function roundingFaults(agreement: Pick<Agreement, "perOutput" | "missing">, model: Model): string[] {
  const faults = [...mismatches(agreement), ...lostNumbers(agreement)];
  if (faults.length > 0) return faults;
  const isStepped = roundsToIntegers(model);
  return agreement.perOutput.flatMap((output) => roundingFault(output, isStepped));
}

function roundingFault(output: OutputAgreement, isStepped: boolean): string[] {
  const { name, dtype, relative, maxAbs, largest, same, elements, notFinite } = output;
  if (notFinite.onlyA > 0)
    return [`${of(name)} is a number in ${notFinite.onlyA} elements that are NaN in the original`];
  if (!isFloat(output)) {
    const most = isStepped ? STEPS : 0;
    return 1 - same <= most
      ? []
      : [`${of(name)} has ${Math.round((1 - same) * elements)} of ${elements} elements changed`];
  }
  const bound = Math.max(rounding[dtype] ?? 0, isStepped ? STEPS : 0);
  if (!(relative <= bound))
    return [`${of(name)} has a relative error of ${short(relative)}, bound ${bound} for ${dtype}`];
  const most = (isStepped ? 10 : 1) * bound * largest;
  return maxAbs <= most ? [] : [`${of(name)} has an element that is off by ${short(maxAbs)}, bound ${short(most)}`];
}

const steps: ReadonlySet<string> = new Set(["QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"]);

function roundsToIntegers({ graph }: Model): boolean {
  return graph.nodes.some(({ opType }) => steps.has(opType));
}

function of(name: string): string {
  return `output ${JSON.stringify(name)}`;
}

function short(value: number): string {
  return Number(value.toPrecision(2)).toString();
}
