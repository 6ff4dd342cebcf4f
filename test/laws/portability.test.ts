/**
 * @file Weights of few bits mean the same on every provider: the reports of silently wrong answers (transformers.js #1286, #1512, #1728) as cases:
 * block sizes, numbers of inputs and outputs that no block or vector divides, zero points, scales in float16.
 */
import { describe, expect, it } from "vitest";
import {
  floatsOf,
  graphBuilder,
  type Model,
  model,
  namesOf,
  numbersOf,
  renamedGraph,
  type Tensor,
  tensor,
} from "../../src/ir/index.ts";
import { quantizeWeights, type WeightOnlyOptions } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type ExecutionProvider, type Feeds, judgeOf, openSession, type Session } from "../../src/runtime/index.ts";
import { noise } from "../models.ts";
import { chromium } from "../swiftshader.ts";

interface Case extends WeightOnlyOptions {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

function product({ rows, inputs, outputs }: Case): Model {
  const g = graphBuilder();
  // Of one sign on average, so that a zero point that is lost shifts every answer.
  const weights = noise(inputs * outputs, 5).map((value) => value * 0.2 + 0.05);
  const x = g.input("x", "float32", [rows, inputs]);
  const weight = g.constant("w", tensor("float32", [inputs, outputs], weights));
  g.output(g.op("MatMul", [x, weight], {}, { name: "product" }), "y");
  const built = model(g.build());
  return { ...built, opsets: new Map([["", 21]]) };
}

function feedsOf({ rows, inputs }: Case): Tensor {
  const values = noise(rows * inputs, 7).map((value) => value + 0.5);
  return tensor("float32", [rows, inputs], values);
}

const sizes = [
  { rows: 1, inputs: 64, outputs: 32 },
  { rows: 3, inputs: 72, outputs: 33 },
  { rows: 2, inputs: 130, outputs: 7 },
  { rows: 17, inputs: 33, outputs: 130 },
] as const;

const layouts: readonly WeightOnlyOptions[] = [
  ...([16, 32, 64, 128, 256] as const).map((blockSize) => ({ bits: 4, blockSize }) as const),
  { bits: 4, blockSize: 32, symmetric: true },
  { bits: 3, blockSize: 32 },
  { bits: 3, blockSize: 16, symmetric: true },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 64, symmetric: true },
  { bits: 2, blockSize: 32 },
  { bits: 4, blockSize: 32, rest: "float16" },
  { bits: 4, blockSize: 16, format: "dequantize" },
  { bits: 8, blockSize: 32, format: "dequantize" },
];

const cases: readonly Case[] = layouts.flatMap((layout) =>
  sizes.map((size) => ({ ...size, ...layout, accuracyLevel: 0 as const })),
);

function nameOf({ bits, blockSize, symmetric, format, rest, rows, inputs, outputs }: Case): string {
  const more = [symmetric && "symmetric", format, rest].filter(Boolean).join(" ");
  return `${bits} bits, blocks of ${blockSize} ${more}: ${rows}×${inputs}×${outputs}`;
}

function relative(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  let [off, whole] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    off += (expected[i]! - actual[i]!) ** 2;
    whole += expected[i]! ** 2;
  }
  return Math.sqrt(off / whole);
}

/** All cases in one model, each with ports of its own: a session costs more than a product. */
async function together(some: readonly Case[]): Promise<{ readonly stored: Model; readonly feeds: Feeds }> {
  const scope = namesOf(product(some[0]!));
  const parts = await Promise.all(
    some.map(async (each, i) => {
      const { rows: _, inputs: __, outputs: ___, ...options } = each;
      const { graph } = (await quantizeWeights(product(each), options)).model;
      return renamedGraph(graph, `case${i}/`, scope, new Map()).graph;
    }),
  );
  const graph = {
    name: "portability",
    inputs: parts.flatMap(({ inputs }) => inputs),
    outputs: parts.flatMap(({ outputs }) => outputs),
    nodes: parts.flatMap(({ nodes }) => nodes),
    initializers: new Map(parts.flatMap(({ initializers }) => [...initializers])),
  };
  const opsets = new Map([
    ["", 21],
    ["com.microsoft", 1],
  ]);
  const feeds = new Map(some.map((each, i) => [`case${i}/x`, feedsOf(each)]));
  return { stored: model(graph, { opsets }), feeds };
}

/** Cases whose answers on a session are not those that the stored integers mean, in float64. */
async function wrongOn(open: (stored: Model) => Promise<Session>, some: readonly Case[], room = 1): Promise<string[]> {
  const { stored, feeds } = await together(some);
  await using session = await open(stored);
  const [meant, found] = [evaluate(stored, feeds), await session.run(feeds)];
  return some.flatMap((each, i) => {
    const name = `case${i}/y`;
    const off = relative(numbersOf(meant.get(name) as Tensor), floatsOf(found.get(name)!));
    return off <= room * tolerance(each) ? [] : [`${nameOf(each)}: ${off}`];
  });
}

/** Scales and activations in half precision have eleven bits; the others differ by the order of sums. */
const tolerance = ({ rest }: Case): number => (rest === "float16" ? 3e-3 : 1e-4);

it.each(["cpu", "wasm"] as const satisfies readonly ExecutionProvider[])(
  "every stored form gives the answers that its integers mean on %s",
  async (ep) => expect(await wrongOn((stored) => openSession(stored, { ep }), cases)).toEqual([]),
);

it("a zero point that is lost would be seen", async () => {
  const { stored, feeds } = await together(cases.slice(0, 1));
  const nodes = stored.graph.nodes.map((node) =>
    node.opType === "MatMulNBits" ? { ...node, inputs: node.inputs.slice(0, 3) } : node,
  );
  const without = { ...stored, graph: { ...stored.graph, nodes } };
  const [meant, lost] = [stored, without].map((each) => numbersOf(evaluate(each, feeds).get("case0/y") as Tensor));
  expect(relative(meant!, lost!)).toBeGreaterThan(0.05);
});

describe.skipIf(!chromium)("in the web build [needs Chromium; CHROMIUM_PATH names one]", () => {
  it("every stored form gives the answers that its integers mean on webgpu", async () => {
    // Software compiles a pipeline for each, which takes a second or so.
    const some = cases.filter(({ rest, rows }) => rest !== "float16" && rows === 3);
    const open = async (stored: Model) => {
      const judge = await judgeOf("webgpu", openSession, stored);
      const session = await judge.open(stored, "portability");
      return Object.assign(session, { [Symbol.asyncDispose]: () => judge[Symbol.asyncDispose]() });
    };
    expect(await wrongOn(open, some, 10)).toEqual([]);
  });
});
