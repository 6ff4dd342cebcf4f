import { describe, expect, it } from "vitest";
import { graphBuilder, type Model, model, tensor, type Value } from "../../ir/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { quantizeStatic } from "../index.ts";
import type { QuantizeEvent } from "../report.ts";
import type { StaticOptions } from "./static-options.ts";

const wave = (dims: readonly number[], seed: number) =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + 7 * i)),
  );

/** Two products of the input, and one of their sum. */
function network(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [4, 4]);
  const product = (of: Value, name: string, seed: number) =>
    g.op(
      "Gemm",
      [of, g.constant(`${name}_w`, wave([4, 4], seed)), g.constant(`${name}_b`, wave([4], seed))],
      {},
      { name },
    );
  const sum = g.op("Add", [product(x, "left", 1), product(x, "right", 2)], {}, { name: "sum" });
  g.output(product(sum, "last", 3), "y");
  return model(g.build());
}

async function* calibration(): AsyncGenerator<Feeds> {
  yield new Map([["x", wave([4, 4], 5)]]);
}

/** What is said of rounding. */
async function said(options: Partial<StaticOptions>) {
  const events: QuantizeEvent[] = [];
  await quantizeStatic(network(), {
    open: openSession,
    calibration,
    ...options,
    onEvent: (event) => events.push(event),
  });
  return events.filter(({ type }) => type === "moments" || type === "round");
}

describe("layers look at the quantized model", () => {
  it("not at all where they round to nearest", async () => {
    expect(await said({})).toEqual([]);
  });

  it.each<Partial<StaticOptions>>([{ rounding: "second-order" }, { biasCorrection: true }])(
    "all at once with %o",
    async (options) => {
      expect(await said(options)).toEqual([
        { type: "moments", batch: 1, layers: 3 },
        { type: "round", node: "last", done: 3, total: 3 },
      ]);
    },
  );

  it("in turn where that is asked for, those that read the same value together", async () => {
    expect(await said({ rounding: "second-order", sequential: true })).toEqual([
      { type: "moments", batch: 1, layers: 2 },
      { type: "round", node: "right", done: 2, total: 3 },
      { type: "moments", batch: 1, layers: 1 },
      { type: "round", node: "last", done: 3, total: 3 },
    ]);
  });

  it("where an override says so alone", async () => {
    const overrides = [{ nodes: ["right"], rounding: "second-order" }] as const;
    expect(await said({ overrides })).toEqual([
      { type: "moments", batch: 1, layers: 1 },
      { type: "round", node: "right", done: 1, total: 3 },
    ]);
  });
});
