/** @file `Einsum`: for every output cell, the sum over all other labels of the product of the operands. */
import { must, nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { stringOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { broadcastDims, broadcastStrides, grid } from "./indexing.ts";
import { type Call, type Kernels, presentInputs } from "./kernel.ts";

const ELLIPSIS = "...";

interface Operand {
  readonly x: Dense;
  /** One label per axis; the axes under the ellipsis are labelled `.0`, `.1`, … counted from the right. */
  readonly labels: readonly string[];
}

function labelsOf(term: string, rank: number): string[] {
  const [before = "", after] = term.split(ELLIPSIS);
  if (after === undefined) return [...before];
  const covered = rank - before.length - after.length;
  return [...before, ...Array.from({ length: covered }, (_, i) => `.${covered - 1 - i}`), ...after];
}

/** Without an arrow: the labels under the ellipsis, then those that occur once, in alphabetical order. */
function implicitOutput(terms: readonly string[]): string {
  const letters = terms.flatMap((term) => [...term.replace(ELLIPSIS, "")]);
  const single = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return (terms.some((term) => term.includes(ELLIPSIS)) ? ELLIPSIS : "") + single.sort().join("");
}

function lengthsOf(operands: readonly Operand[]): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const { x, labels } of operands) {
    if (labels.length !== x.dims.length) throw new ShapeError("an einsum term does not fit its operand's rank");
    labels.forEach((label, axis) => {
      const dims = broadcastDims([lengths.get(label) ?? 1], [nth(x.dims, axis)]);
      lengths.set(label, nth(dims, 0));
    });
  }
  return lengths;
}

/** The step that an operand takes when a label advances: the sum over the axes that carry it. */
function stepsOf({ x, labels }: Operand, chosen: readonly string[], lengths: ReadonlyMap<string, number>): number[] {
  const strides = broadcastStrides(
    x.dims,
    labels.map((label) => must(lengths, label)),
  );
  return chosen.map((label) => labels.reduce((sum, own, axis) => sum + (own === label ? nth(strides, axis) : 0), 0));
}

function einsum(call: Call): Dense {
  const inputs = presentInputs(call);
  const equation = (stringOf(call.node, "equation") ?? "").replace(/\s/g, "");
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  const operands = inputs.map((x, i) => ({ x, labels: labelsOf(terms[i] ?? "", x.dims.length) }));
  const lengths = lengthsOf(operands);
  const covered = [...lengths.keys()].filter((label) => label.startsWith(".")).length;
  const output = right ?? implicitOutput(terms);
  const kept = labelsOf(output, covered + output.replace(ELLIPSIS, "").length);
  const summed = [...lengths.keys()].filter((label) => !kept.includes(label));
  const dimsOf = (labels: readonly string[]): number[] => labels.map((label) => lengths.get(label) ?? 1);
  const places = operands.map((operand) => grid(dimsOf(kept), stepsOf(operand, kept, lengths)));
  const inner = operands.map((operand) => grid(dimsOf(summed), stepsOf(operand, summed, lengths)));
  const values = inputs.map(numbers);
  const result = new Float64Array(nth(places, 0).length).map((_, at) => {
    let sum = 0;
    for (let k = 0; k < nth(inner, 0).length; k++) {
      let product = 1;
      for (let i = 0; i < values.length; i++) product *= nth(values, i)[nth(places, i)[at]! + nth(inner, i)[k]!]!;
      sum += product;
    }
    return sum;
  });
  return dense(nth(inputs, 0).dtype, dimsOf(kept), result);
}

export const einsums = { Einsum: einsum } satisfies Kernels;
