/** @file Small models for tests that run something. */

import {
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  scalar,
  tensor,
  tensorFromNumbers,
} from "../src/ir/index.ts";
import type { Feeds } from "../src/runtime/session.ts";

/** Deterministic values in [-1, 1). */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** y = relu(x · w) + 1, x: [batch, 4]. */
export function denseModel(scale = 1): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 4]);
  const w = g.constant(
    "w",
    tensor(
      "float32",
      [4, 3],
      noise(12).map((value) => value * scale),
    ),
  );
  const hidden = g.op("Relu", [g.op("MatMul", [x, w], {}, { name: "product" })], {}, { name: "hidden" });
  g.output(g.op("Add", [hidden, g.constant("one", scalar("float32", 1))]), "y");
  return model(g.build());
}

export function denseFeeds(batch = 2, seed = 2): Feeds {
  return new Map([["x", tensor("float32", [batch, 4], noise(batch * 4, seed))]]);
}

/** Multiplies x by itself `trips` times in a `Loop`: as long a run as one likes. */
export function loopModel(size = 128): Model {
  const g = graphBuilder();
  const trips = g.input("trips", "int64", []);
  const x = g.input("x", "float32", [size, size]);
  const body = g.subgraph();
  body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", [size, size]);
  const next = body.op("Tanh", [body.op("MatMul", [state, state])]);
  body.output(go, "go_on");
  body.output(next, "next");
  g.output(g.op("Loop", [trips, undefined, x], { body: graphAttribute(body.build("body")) }), "y");
  return model(g.build());
}

export function loopFeeds(trips: number, size = 128): Feeds {
  return new Map([
    ["trips", tensorFromNumbers("int64", [], [trips])],
    ["x", tensor("float32", [size, size], noise(size * size))],
  ]);
}

/** A tensor of as many zeros as are asked for. */
export function memoryModel(): Model {
  const g = graphBuilder();
  const shape = g.input("shape", "int64", [1]);
  g.output(g.op("ConstantOfShape", [shape]), "zeros");
  return model(g.build());
}

export function memoryFeeds(count: number): Feeds {
  return new Map([["shape", int64s([count])]]);
}

/** a / b of integers, which ends the process for the least number over −1. */
export function divisionModel(): Model {
  const g = graphBuilder();
  g.output(g.op("Div", [g.input("a", "int64", [1]), g.input("b", "int64", [1])]), "y");
  return model(g.build());
}

/** Feeds of `divisionModel` on which the processor signals. */
export function fatalFeeds(): Feeds {
  return new Map([
    ["a", tensor("int64", [1], BigInt64Array.of(-(2n ** 63n)))],
    ["b", int64s([-1])],
  ]);
}

/** Eight filters over pictures of 8 × 8 pixels. */
export function convolutionModel(channels: number): Model {
  const g = graphBuilder();
  const values = Float32Array.from({ length: 8 * channels * 9 }, (_, i) => Math.sin(i));
  const weights = g.constant("w", tensor("float32", [8, channels, 3, 3], values));
  g.output(g.op("Conv", [g.input("x", "float32", [1, channels, 8, 8]), weights], { pads: [1, 1, 1, 1] }), "y");
  return model(g.build());
}

/** Two of four experts a row, by positions counted in float64, which the web build has no kernels for, or in another type. */
export function dispatchModel(type: "double" | "float32" = "double"): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [8, 4]);
  const [gates, chosen] = g.ops("TopK", [x, g.constant("k", int64s([2]))], 2);
  const counted = g.op("Cast", [chosen], { to: type === "double" ? 11 : 1 });
  const place = g.op("CumSum", [counted, g.constant("axis", scalar("int64", 0))]);
  const back = g.op("Cast", [place], { to: 1 });
  g.output(g.op("Mul", [gates, back]), "y");
  return model(g.build());
}
