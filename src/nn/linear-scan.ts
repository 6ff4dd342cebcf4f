/** @file Linear recurrences over time, step by step or in a number of steps that is the logarithm of the length. */
import type { Value } from "../ir/index.ts";
import { dimsOf, type Layers, lengthOf } from "./network.ts";

/** `scan`: one step after another, as an ONNX `Scan`. `doubling`: ⌈log₂ T⌉ steps over all times at once, each over twice the distance. */
export type LinearScanForm = "scan" | "doubling";

/**
 * h_t = a_t·h_{t−1} + b_t with h_0 = 0, elementwise over [batch, time, width] of fixed time and width: → all h. Both forms are trained by
 * gradients, and differ by rounding alone. `doubling` composes the maps h ↦ a·h + b of spans that meet: Hillis and Steele (1986), "Data
 * parallel algorithms".
 */
export function linearScan(n: Layers, a: Value, b: Value, form: LinearScanForm): Value {
  return form === "scan" ? inSequence(n, a, b) : byDoubling(n, a, b);
}

function inSequence(n: Layers, a: Value, b: Value): Value {
  const batch = n.op("Shape", [b], { start: 0, end: 1 });
  const start = n.expand(n.number(0), n.concat([batch, n.ints(dimsOf(b).slice(2).map(Number))], 0));
  const scanned = n.scan([start], [a, b], (inner, [state], [factor, term]) => {
    const next = inner.add(inner.mul(factor as Value, state as Value), term as Value);
    return { states: [next], results: [next] };
  });
  return scanned.results[0] as Value;
}

function byDoubling(n: Layers, a: Value, b: Value): Value {
  const length = lengthOf(b, 1);
  let [factor, state] = [a, b];
  for (let span = 1; span < length; span *= 2) {
    const part = (x: Value, from: number, to: number) => n.slice(x, [from], [to], [1]);
    const later = part(factor, span, length);
    const joined = n.add(part(state, span, length), n.mul(later, part(state, 0, length - span)));
    state = n.concat([part(state, 0, span), joined], 1);
    if (2 * span >= length) break;
    factor = n.concat([part(factor, 0, span), n.mul(later, part(factor, 0, length - span))], 1);
  }
  return state;
}
