/** @file Small residual networks, as graphs and as plain arithmetic. */
import { type Graph, graphBuilder, type Model, model, tensor, type Value } from "../src/ir/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { noise } from "./models.ts";

export const WIDTH = 3;

export interface ResidualOptions {
  readonly blocks: number;
  /** Steps of a block: `tanh(x·W)` and `sin(x·W)` in turn. */
  readonly period?: number;
  /** What follows every addition. */
  readonly tail?: "Relu";
  /** Width of the hidden layer of each block; none by default. */
  readonly hidden?: (block: number) => number;
  /** Blocks with one weight for all. */
  readonly shared?: boolean;
  /** The value after this block is read by the output too. */
  readonly longSkip?: number;
}

const functions = ["Tanh", "Sin"] as const;

/** The weight of a step, row by row. */
export function weightOf(step: number): Float32Array {
  return noise(WIDTH * WIDTH, step + 7);
}

/** x → blocks → y, x: [batch, 3]. Names say nothing about the blocks. */
export function residualNetwork(options: ResidualOptions): Model {
  const { blocks, period = 2, tail, hidden, shared = false, longSkip } = options;
  const g = graphBuilder({ infer: builderInference(21) });
  let y = g.input("x", "float32", ["batch", WIDTH]);
  const weight = (step: number): Value => g.constant("v", tensor("float32", [WIDTH, WIDTH], weightOf(step)));
  const one = shared ? weight(0) : undefined;
  let skipped: Value | undefined;
  for (let step = 0; step < blocks * period; step++) {
    const block = Math.floor(step / period);
    let inner = y;
    if (hidden) {
      const wide = hidden(block);
      inner = g.op("MatMul", [y, g.constant("v", tensor("float32", [WIDTH, wide], noise(WIDTH * wide, step)))]);
      inner = g.op("MatMul", [inner, g.constant("v", tensor("float32", [wide, WIDTH], noise(WIDTH * wide, step + 1)))]);
    }
    const product = g.op("MatMul", [inner, one ?? weight(step)]);
    const term = g.op(functions[step % period]!, [product]);
    y = g.op("Add", step % 2 === 0 ? [y, term] : [term, y]);
    if (tail) y = g.op(tail, [y]);
    if (block === longSkip && step % period === period - 1) skipped = y;
  }
  g.output(skipped ? g.op("Mul", [y, skipped]) : g.op("Neg", [y]), "y");
  return model(g.build());
}

export type Vector = readonly number[];

/** What a step adds to its input. */
export function term(step: number, period: number, x: Vector): Vector {
  const w = weightOf(step);
  const f = [Math.tanh, Math.sin][step % period]!;
  return x.map((_, j) => f(x.reduce((sum, value, i) => sum + value * w[i * WIDTH + j]!, 0)));
}

export function sum(...vectors: readonly Vector[]): Vector {
  return vectors.reduce((a, b) => a.map((value, i) => value + b[i]!));
}

export function minus(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value - b[i]!);
}

export function opTypes(graph: Graph): string[] {
  return graph.nodes.map(({ opType }) => opType);
}
