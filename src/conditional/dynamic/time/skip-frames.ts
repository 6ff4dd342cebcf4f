/** @file Frames that a learned gate skips, with the binary state update of Skip RNN, Campos et al. (2018), arXiv:1708.06834. */
import { nth } from "../../../checked.ts";
import { ShapeError } from "../../../errors.ts";
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { dimsOf, type Layer, type Layers, lengthOf } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { LossTerm } from "../../../train/index.ts";
import { type GateOptions, learnedGate } from "../learned-gate.ts";
import { shareTerm } from "../share-term.ts";

export interface FrameOptions extends GateOptions {
  /** What decides: a cheap network over the sequence [batch, time, …] → [batch, time, features]; it may look back, as a recurrent one does. */
  readonly glance: Layer;
  /** What is skipped: the network over single frames [frames, …] → [frames, features]. */
  readonly frame: Layer;
}

/** Names of outputs with the gates end with this, behind the path of the layer. */
export const KEPT = "kept";

const frameOptionsNames: OptionNames<FrameOptions> = { glance: true, frame: true, temperature: true, open: true };

/**
 * s_t = g_t·frame(x_t) + (1 − g_t)·s_{t−1} for each frame of x: [batch, time, …] → [batch, time, features]. A frame that is skipped repeats what
 * the last one gave that was not. The gate g_t ∈ {0, 1} rounds σ((ℓ_t + L) / τ), where ℓ_t is linear in the glance and L is logistic noise in
 * training, 0 in inference; the first frame is always kept. The gradient goes straight through the rounding.
 *
 * Other than in Skip RNN gates read the glance and not the state, so that all of them are known before the first frame is computed.
 * They become an output `…kept` [batch, time, 1] of the model; `frameTerm` pulls them to a share, `exportFrames` computes no other frames.
 *
 * @throws UsageError for options out of range, ShapeError for a sequence whose dims behind the first are not fixed.
 */
export function skipFrames(n: Layers, x: Value, given: FrameOptions): Value {
  const { glance, frame, ...options } = checkOptions(given, frameOptionsNames);
  const time = lengthOf(x, 1);
  const seen = glance(n.scope("glance"), x);
  if (dimsOf(seen).length !== 3 || lengthOf(seen, 1) !== time) {
    throw new ShapeError("a glance gives features of each frame", {
      expected: `[batch, ${time}, features]`,
      got: `[${dimsOf(seen).join(", ")}]`,
    });
  }
  const gate = withFirst(n, learnedGate(n, seen, options), time);
  n.output(gate, `${n.path}${KEPT}`);
  const rest = dimsOf(x).slice(2);
  const rows = n.reshape(x, [-1, ...rest.map((_, i) => lengthOf(x, i + 2))]);
  const features = frame(n.scope("frame"), rows);
  return lastKept(n, features, gate, n.op("Shape", [x], { start: 0, end: 1 }));
}

/** (mean gate − share)² over all frames and layers, for `fit`. The first frame counts too, so no share is below 1 / time. */
export function frameTerm(kept: readonly string[], share: number, weight = 1): LossTerm {
  return shareTerm(kept, { name: "computed frames", share, weight });
}

/** 1 for the first frame. */
function withFirst(n: Layers, gate: Value, time: number): Value {
  const column = (name: string, of: (i: number) => number) =>
    n.constant(
      name,
      tensorFromNumbers(
        "float32",
        [time, 1],
        Array.from({ length: time }, (_, i) => of(i)),
      ),
    );
  const later = n.mul(
    gate,
    column("later", (i) => Number(i > 0)),
  );
  return n.add(
    later,
    column("first", (i) => Number(i === 0)),
  );
}

function lastKept(n: Layers, features: Value, gate: Value, batch: Value): Value {
  const [time, width] = [lengthOf(gate, 1), lengthOf(features, 1)];
  const shape = n.concat([batch, n.ints([time, width])], 0);
  const sequence = n.op("Reshape", [features, shape]);
  const zero = { value: tensorFromNumbers("float32", [1], [0]) };
  const start = n.op("ConstantOfShape", [n.concat([batch, n.ints([width])], 0)], zero);
  const { results } = n.scan([start], [sequence, gate], (step, [state], [made, isKept]) => {
    const rest = step.sub(1, isKept!);
    const next = step.add(step.mul(made!, isKept!), step.mul(state!, rest));
    return { states: [next], results: [next] };
  });
  return nth(results, 0);
}
