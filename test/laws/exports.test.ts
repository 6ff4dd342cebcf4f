/** @file What conditional computation exports runs alike on both builds of stock ONNX Runtime, and survives int8. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import {
  allGraphs,
  type DataType,
  isSparse,
  type Model,
  numbersOf,
  sizeOf,
  verify,
  wildcard,
} from "../../src/ir/index.ts";
import { conv, type Layers, network } from "../../src/nn/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { inferShapes } from "../../src/ops/index.ts";
import { type QuantizeOptions, quantize, quantizeDynamic } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { reducedType } from "../../src/runtime/rules/reduced-types.ts";
import { conditionalExports, feedsFor, mixture, stackedExperts } from "../conditional-exports.ts";
import { rawRuns, rawSession, rawWasm } from "../raw-runtime.ts";

/** ‖a − b‖ / ‖a‖. */
function distance(a: readonly number[], b: readonly number[]): number {
  const norm = (values: readonly number[]): number => Math.hypot(...values);
  expect(b).toHaveLength(a.length);
  return norm(a.map((value, i) => value - b[i]!)) / norm(a);
}

/** The share of rows of scores with the same best class. */
function agreement(a: readonly number[], b: readonly number[], classes: number): number {
  const best = (values: readonly number[], row: number): number => {
    const own = values.slice(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  };
  const rows = Array.from({ length: a.length / classes }, (_, row) => row);
  return rows.filter((row) => best(a, row) === best(b, row)).length / rows.length;
}

/** Elements of constants of rank 2 and more, by type. */
function elements(model: Model): Map<DataType, number> {
  const counts = new Map<DataType, number>();
  for (const { initializers } of allGraphs(model.graph)) {
    for (const data of initializers.values()) {
      if (isSparse(data) || data.dims.length < 2) continue;
      counts.set(data.dtype, (counts.get(data.dtype) ?? 0) + sizeOf(data.dims));
    }
  }
  return counts;
}

function firstOf(model: Model, feeds: Feeds): number[] {
  return [...numbersOf(evaluate(model, feeds).get(model.graph.outputs[0]!.name)!)];
}

/** Routers stay in floats: a rounded score sends rows elsewhere. */
const routers = ({ graph }: Model): string[] => {
  const names = [...allGraphs(graph)].flatMap(({ nodes }) => nodes.map((node) => node.name));
  return ["*gate/*", "*skip/*"].filter((pattern) => names.some(wildcard(pattern)));
};

describe.each(Object.entries(conditionalExports))("%s", (_, make) => {
  it("runs alike on onnxruntime-node, onnxruntime-web and in float64, and in int8", async () => {
    const model = await make();
    expect(verify(model)).toEqual([]);
    const name = model.graph.outputs[0]!.name;
    const { model: small, report } = quantizeDynamic(model, { weightBits: 7, exclude: routers(model) });
    expect(verify(small)).toEqual([]);
    for (const each of [model, small]) {
      expect([...allGraphs(inferShapes(each).graph)].map(reducedType)).toEqual(
        [...allGraphs(each.graph)].map(() => undefined),
      );
    }
    expect(report.layers.some(({ quantized }) => quantized)).toBe(true);
    await using native = await rawRuns(rawSession, [model, small]);
    await using wasm = await rawRuns(rawWasm, [model, small]);
    for (const batch of [8, 1]) {
      const feeds = feedsFor(model, batch);
      const [floats, integers] = await native.run(feeds);
      const [floatsElsewhere, integersElsewhere] = await wasm.run(feeds);
      expect([...floatsElsewhere!.keys()]).toEqual([...floats!.keys()]);
      expect(distance(firstOf(model, feeds), floats!.get(name)!)).toBeLessThan(1e-5);
      expect(distance(floats!.get(name)!, floatsElsewhere!.get(name)!)).toBeLessThan(1e-5);
      expect(distance(integers!.get(name)!, integersElsewhere!.get(name)!)).toBeLessThan(1e-5);
      expect(distance(floats!.get(name)!, integers!.get(name)!)).toBeLessThan(0.05);
    }
  });
});

const forms = {
  dynamic: { form: "dynamic", weightBits: 7 },
  "8-bit weights": { form: "weight-only", bits: 8 },
  "4-bit weights": { form: "weight-only", bits: 4, accuracyLevel: 0 },
  "4-bit weights, standard operators": { form: "weight-only", bits: 4, format: "dequantize" },
} as const satisfies Record<string, QuantizeOptions>;

const BATCH = 50;

/** A mixture with its routes, before and after. */
async function quantizedRoutes(model: Model, options: QuantizeOptions) {
  const { model: small, report } = await quantize(model, options);
  expect(verify(small)).toEqual([]);
  await using runs = await rawRuns(rawSession, [model, small]);
  const [before, after] = await runs.run(feedsFor(model, BATCH));
  const classes = 5;
  return {
    small,
    report,
    routes: [before!.get("moe/measure/route")!, after!.get("moe/measure/route")!] as const,
    agreement: agreement(before!.get("y")!, after!.get("y")!, classes),
  };
}

const sameShare = (a: readonly number[], b: readonly number[]): number =>
  a.filter((value, i) => value === b[i]).length / a.length;

describe.each(Object.entries(forms))("experts in %s", (name, options) => {
  it.each(["dropless", "skipping"] as const)(
    "under %s: rows go where they went, answers stay, files shrink",
    async (dispatch) => {
      const model = mixture(dispatch);
      const {
        small,
        report,
        routes,
        agreement: share,
      } = await quantizedRoutes(model, { ...options, exclude: routers(model) });
      expect(routes[1]).toEqual(routes[0]);
      expect(share).toBeGreaterThan(name.startsWith("4") ? 0.8 : 0.95);
      const experts = report.layers.filter(({ node }) => node.includes("/expert"));
      expect(experts).toHaveLength(8);
      for (const { quantized } of experts) expect(quantized).toBe(true);
      const left = elements(small).get("float32") ?? 0;
      expect(left).toBeLessThan(0.3 * elements(model).get("float32")!);
      expect(encodeModel(small).byteLength).toBeLessThan(0.7 * encodeModel(model).byteLength);
    },
  );

  it("with the router in integers too, nearly all rows go where they went", async () => {
    const { routes } = await quantizedRoutes(mixture("skipping"), options);
    expect(sameShare(...routes)).toBeGreaterThan(name.startsWith("4") ? 0.8 : 0.95);
  });

  it("stacked in one tensor: answers stay, files shrink", async () => {
    const model = stackedExperts();
    const { model: small, report } = await quantize(model, { ...options, exclude: routers(model) });
    expect(verify(small)).toEqual([]);
    expect(report.layers.filter(({ quantized }) => !quantized).map(({ node }) => node)).toEqual(["gate/matmul"]);
    await using runs = await rawRuns(rawSession, [model, small]);
    const [before, after] = await runs.run(feedsFor(model, BATCH));
    expect(agreement(before!.get("y")!, after!.get("y")!, 5)).toBeGreaterThan(name.startsWith("4") ? 0.8 : 0.95);
    const exact = firstOf(small, feedsFor(model, BATCH));
    expect(distance(exact, after!.get("y")!)).toBeLessThan(0.01);
    expect(elements(small).get("float32") ?? 0).toBeLessThan(0.3 * elements(model).get("float32")!);
  });
});

it.each(["dynamic", "weight-only"] as const)(
  "experts inside of one operator stay in floats under %s, and the report says so",
  async (form) => {
    const { report } = await quantize(mixture("moe-operator"), { form });
    const [node] = report.layers.filter(({ opType }) => opType === "MoE");
    expect(node).toMatchObject({ quantized: false, reason: expect.stringMatching(/another dispatch/) });
  },
);

describe("static int8", () => {
  const calibration = (model: Model) =>
    async function* () {
      for (let seed = 1; seed <= 3; seed++) yield feedsFor(model, 8, seed);
    };
  const options = (model: Model) =>
    ({
      form: "static",
      weightBits: 7,
      open: openSession,
      calibration: calibration(model),
      exclude: routers(model),
    }) as const;

  it("of experts: rows go where they went, answers stay, files shrink", async () => {
    const model = mixture("dropless");
    const { small, routes, agreement: share } = await quantizedRoutes(model, options(model));
    expect(routes[1]).toEqual(routes[0]);
    expect(share).toBeGreaterThan(0.9);
    expect(encodeModel(small).byteLength).toBeLessThan(0.8 * encodeModel(model).byteLength);
  });

  it("of stacked experts, rounded with and without a look at their inputs", async () => {
    const model = stackedExperts();
    for (const rounding of ["nearest", "second-order"] as const) {
      const { model: small } = await quantize(model, { ...options(model), rounding });
      await using runs = await rawRuns(rawSession, [model, small]);
      const [before, after] = await runs.run(feedsFor(model, BATCH));
      expect(agreement(before!.get("y")!, after!.get("y")!, 5)).toBeGreaterThan(0.9);
      expect(distance(firstOf(small, feedsFor(model, BATCH)), after!.get("y")!)).toBeLessThan(0.02);
    }
  });

  it("leaves layers in branches in floats, and says so", async () => {
    const model = mixture("skipping");
    const { report, routes } = await quantizedRoutes(model, options(model));
    expect(routes[1]).toEqual(routes[0]);
    const experts = report.layers.filter(({ node }) => node.includes("/expert"));
    expect(experts).toHaveLength(8);
    for (const { quantized, reason } of experts)
      expect([quantized, reason]).toEqual([false, expect.stringMatching(/branch/)]);
  });

  it("lets branches read what the clamp before them gives", async () => {
    const model = network(random(2), (n) => {
      const x = n.input("input", "float32", ["batch", 3, 6, 6]);
      const h = n.op("Relu", [conv(n.scope("a"), x, 8, { kernel: 3 })]);
      const go = n.op("Greater", [n.op("ReduceMax", [h], { keepdims: 0 }), n.number(-1)]);
      const branch = (sign: "Neg" | "Abs") => (inner: Layers) => inner.op(sign, [h]);
      n.output(n.op("Add", [n.when(go, branch("Neg"), branch("Abs")), conv(n.scope("b"), h, 8, { kernel: 3 })]), "y");
    });
    const { model: small } = await quantize(model, options(model));
    await using runs = await rawRuns(rawSession, [model, small]);
    const [before, after] = await runs.run(feedsFor(model, 4));
    expect(distance(before!.get("y")!, after!.get("y")!)).toBeLessThan(0.03);
  });
});
