/** @file Einsum: the equation, its dims, its axes. */
import { ShapeError } from "../errors.ts";
import { type Dim, type Dims, elementCount, maxOf, stringOf } from "../ir/index.ts";
import { end, reduced, same } from "./axes.ts";
import { elementwiseCost, macCost } from "./cost.ts";
import { dimsOf, dtypeOf, equalDim, typed } from "./dims.ts";
import type { AxisEnd, AxisLink, AxisRule, CostRule, InferRule, NodeFacts } from "./spec.ts";

interface Equation {
  /** Labels of each input's axes; an ellipsis becomes `.0`, `.1`, … counted from its right end. */
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** The equation with its ellipses spelled out; `undefined` when a rank is unknown. */
function equationOf(facts: NodeFacts): Equation | undefined {
  const text = stringOf(facts.node, "equation", "").replaceAll(/\s/g, "");
  const [left = "", right] = text.split("->");
  const terms = left.split(",");
  if (terms.length !== facts.node.inputs.length) {
    throw new ShapeError("an equation does not fit its inputs", {
      expected: `${facts.node.inputs.length} terms`,
      got: left,
    });
  }
  const inputs: (readonly string[])[] = [];
  for (const [i, term] of terms.entries()) {
    const dims = dimsOf(facts, i);
    if (!dims) return undefined;
    inputs.push(labelsOf(term, spreadOf(term, dims.length)));
  }
  const spread = maxOf(
    inputs.map((labels) => labels.filter((label) => label.startsWith(".")).length),
    0,
  );
  return { inputs, output: labelsOf(right ?? implicitOutput(inputs), spread) };
}

function labelsOf(term: string, spread: number): string[] {
  const ellipsis = term.indexOf("...");
  if (ellipsis === -1) return [...term];
  const dots = Array.from({ length: spread }, (_, i) => `.${spread - 1 - i}`);
  return [...term.slice(0, ellipsis), ...dots, ...term.slice(ellipsis + 3)];
}

/** How many axes the ellipsis of a term stands for. */
function spreadOf(term: string, rank: number): number {
  const spread = rank - term.replace("...", "").length;
  if (spread === 0 || (spread > 0 && term.includes("..."))) return spread;
  throw new ShapeError("a term of an equation does not fit its input", { expected: `${rank} axes`, got: term });
}

/** Without an arrow: the ellipsis, then the labels that occur once, in alphabetical order. */
function implicitOutput(inputs: readonly (readonly string[])[]): string {
  const all = inputs.flat();
  const once = all.filter((label) => !label.startsWith(".") && all.indexOf(label) === all.lastIndexOf(label));
  return `${all.some((label) => label.startsWith(".")) ? "..." : ""}${once.sort().join("")}`;
}

function lengthsOf(facts: NodeFacts, { inputs }: Equation): Map<string, Dim> {
  const lengths = new Map<string, Dim>();
  for (const [i, labels] of inputs.entries()) {
    const dims = dimsOf(facts, i) ?? [];
    labels.forEach((label, axis) => {
      const [known, dim] = [lengths.get(label), dims[axis] ?? ""];
      if (known === undefined || known === 1) lengths.set(label, dim);
      else if (dim !== 1) lengths.set(label, equalDim(known, dim, `axes "${label}" of an equation differ`));
    });
  }
  return lengths;
}

export const inferEinsum: InferRule = (context) => {
  const equation = equationOf(context);
  if (!equation) return [typed(dtypeOf(context, 0))];
  const lengths = lengthsOf(context, equation);
  return [
    typed(
      dtypeOf(context, 0),
      equation.output.map((label) => lengths.get(label) ?? ""),
    ),
  ];
};

/** One multiply-accumulate per combination of all labels, for two inputs or more. */
export const einsumCost: CostRule = (node) => {
  const equation = equationOf(node);
  if (!equation) return undefined;
  const lengths: Dims = [...lengthsOf(node, equation).values()];
  const count = elementCount(lengths);
  return equation.inputs.length > 1 ? macCost(count) : elementwiseCost(count);
};

export const einsumAxes: AxisRule = (node) => {
  const equation = equationOf(node);
  if (!equation) return undefined;
  const labels = new Set(equation.inputs.flat());
  return [...labels].flatMap((label) => linkOf(label, equation, (i) => dimsOf(node, i) ?? []));
};

/** A label that a term repeats is a diagonal, and has no cut of its own. */
function linkOf(label: string, { inputs, output }: Equation, dims: (input: number) => Dims): AxisLink[] {
  if (inputs.some((labels) => labels.indexOf(label) !== labels.lastIndexOf(label))) return [];
  const ends = inputs.flatMap((labels, i): AxisEnd[] => {
    const axis = labels.indexOf(label);
    return axis === -1 || dims(i)[axis] === 1 ? [] : [end(i, axis)];
  });
  const target = output.indexOf(label);
  if (ends.length === 0) return [];
  return [target === -1 ? reduced(ends) : same(ends, end(0, target))];
}
