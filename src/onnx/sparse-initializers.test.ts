import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { rawFeeds, rawWasm } from "../../test/raw-runtime.ts";
import { FormatError, LimitError } from "../errors.ts";
import {
  denseInitializers,
  denseOf,
  equalModels,
  graphBuilder,
  int64s,
  isSparse,
  type Model,
  makeNode,
  model,
  type SparseTensor,
  sparseInitializers,
  sparseOf,
  type Tensor,
  tensor,
  typedArray,
  type Value,
  withGraph,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { openSession } from "../runtime/index.ts";
import { openReference } from "../runtime/reference.ts";
import { decodeModel, encodedSize, encodeModel, loadModelBytes } from "./index.ts";

/** y = x · w, where of w one element in `each` is not zero, one of them a negative zero. */
function product(each: number, side = 32): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const values = Float32Array.from({ length: side * side }, (_, i) =>
    i % each === 0 ? Math.fround(Math.sin(i + 1)) : 0,
  );
  values[1] = -0;
  const x = g.input("x", "float32", ["batch", side]);
  g.output(g.op("MatMul", [x, g.constant("w", tensor("float32", [side, side], values))]), "y");
  return model(g.build());
}

const weightOf = ({ graph }: Model) => [...graph.initializers].find(([{ name }]) => name === "w")![1];
const bitsOf = (of: Tensor) => [...new Uint32Array((of.data as Uint8Array).slice().buffer)];

const withWeight = (of: Model, data: SparseTensor | Tensor): Model => {
  const [[value]] = [...of.graph.initializers] as [[import("../ir/index.ts").Value, unknown]];
  return withGraph(of, { ...of.graph, initializers: new Map([[value, data]]) });
};

/** w of 2 × 3 with given values and indices. */
function malformed(values: readonly number[], indices: Tensor, dims: readonly number[] = [2, 3]): Uint8Array {
  const sparse = { dims, values: tensor("float32", [values.length], Float32Array.from(values)), indices };
  return encodeModel(withWeight(product(2, 2), sparse));
}

const rows = Float32Array.from({ length: 96 }, (_, i) => Math.cos(i));
const feeds = new Map([["x", tensor("float32", [3, 32], rows)]]);

describe("sparse initializers", () => {
  it("are written where they are smaller, and give the same bits back", () => {
    const dense = product(16);
    const sparse = sparseInitializers(dense);
    expect(isSparse(weightOf(sparse))).toBe(true);
    const [before, after] = [encodeModel(dense), encodeModel(sparse)];
    expect(after.length).toBeLessThan(before.length / 4);
    const read = decodeModel(after);
    expect(read).toEqual(sparse);
    expect(bitsOf(weightOf(denseInitializers(read)) as Tensor)).toEqual(bitsOf(weightOf(dense) as Tensor));
    expect(gunzipSync(gzipSync(after)).length).toBe(after.length);
  });

  it("stay dense where that is no larger", () => {
    expect(sparseInitializers(product(2))).toEqual(product(2));
    const input = product(16);
    const [weight] = input.graph.initializers.keys();
    const open = withGraph(input, { ...input.graph, inputs: [...input.graph.inputs, weight!] });
    expect(sparseInitializers(open)).toBe(open);
  });

  it("are loaded by ONNX Runtime and the evaluator, bit for bit", async () => {
    const dense = product(16);
    for (const open of [openSession, openReference]) {
      await using one = await open(dense);
      await using other = await open(decodeModel(encodeModel(sparseInitializers(dense))));
      expect(bitsOf((await other.run(feeds)).get("y")!)).toEqual(bitsOf((await one.run(feeds)).get("y")!));
    }
  });

  it("are loaded by the wasm build that browsers run, bit for bit", async () => {
    const dense = product(16);
    const outputs: number[][] = [];
    for (const each of [dense, sparseInitializers(dense)]) {
      const session = await rawWasm(each);
      const { y } = await session.run(rawFeeds(feeds));
      outputs.push([...new Uint32Array((y!.data as Float32Array).slice().buffer)]);
      await session.release();
    }
    expect(outputs[1]).toEqual(outputs[0]);
  });

  it("are read with coordinates, too", async () => {
    const coordinates = tensor("int64", [2, 2], BigInt64Array.of(0n, 1n, 1n, 2n));
    const read = weightOf(decodeModel(malformed([5, 7], coordinates))) as SparseTensor;
    expect([...typedArray(denseOf(read))]).toEqual([0, 5, 0, 0, 0, 7]);
    const flat = sparseOf(denseOf(read));
    expect([...typedArray(flat.indices)]).toEqual([1n, 5n]);
  });

  it.each([
    ["behind the end", int64s([1, 6]), /index 6 lies outside of 0 to 5/],
    ["before the beginning", int64s([-1, 1]), /index -1 lies outside/],
    ["beyond what a number holds", int64s([0n, 2n ** 62n]), /lies outside/],
    ["out of order", int64s([4, 1]), /index 1 does not lie behind the one before/],
    ["twice", int64s([4, 4]), /index 1 does not lie behind/],
    [
      "coordinates outside",
      tensor("int64", [2, 2], BigInt64Array.of(0n, 1n, 1n, 3n)),
      /index 3 lies outside of 0 to 2/,
    ],
    ["coordinates out of order", tensor("int64", [2, 2], BigInt64Array.of(1n, 0n, 0n, 2n)), /does not lie behind/],
    ["too few", int64s([1]), /\[1\] where \[2\] or \[2, 2\] fit/],
    ["of another rank", tensor("int64", [2, 3], new BigInt64Array(6)), /\[2, 3\] where/],
    ["of another type", tensor("int32", [2], Int32Array.of(0, 1)), /indices are int32, not int64/],
  ])("are refused with indices %s", (_, indices, reason) => {
    expect(() => decodeModel(malformed([5, 7], indices))).toThrow(FormatError);
    expect(() => decodeModel(malformed([5, 7], indices))).toThrow(reason);
  });

  it("are dense when a file is loaded, and sparse again when the model is written, whatever was done to it", async () => {
    const dense = product(16);
    const bytes = encodeModel(sparseInitializers(dense));
    const loaded = loadModelBytes(bytes);
    expect(equalModels(loaded, dense, { preserved: false })).toBeUndefined();
    expect(encodeModel(loaded)).toEqual(bytes);
    expect(encodedSize(loaded)).toBe(bytes.length);
    expect(encodeModel(loadModelBytes(encodeModel(dense))).length).toBeGreaterThan(4 * bytes.length);
    const [[value, data]] = [...loaded.graph.initializers] as [[Value, Tensor]];
    const halved = tensor("float32", [32, 16], Float32Array.from(typedArray(data).subarray(0, 512) as Float32Array));
    const changed = withGraph(loaded, { ...loaded.graph, initializers: new Map([[value, halved]]) });
    expect(isSparse(weightOf(decodeModel(encodeModel(changed))))).toBe(true);
    expect(() => loadModelBytes(bytes, new Map(), { limits: { denseBytes: 4095 } })).toThrow(LimitError);
    expect(() => loadModelBytes(bytes, new Map(), { limits: { denseBytes: 4096 } })).not.toThrow();
  });

  it("are dense when they are constants, or lie beside the file", async () => {
    const [sparse] = [...sparseInitializers(product(16)).graph.initializers.values()] as [SparseTensor];
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 32]);
    const attributes = new Map([["sparse_value", { type: "sparse-tensor", value: sparse } as const]]);
    const constant = model(g.build());
    const value = { name: "w" };
    const node = makeNode("Constant", [], [value], { attributes });
    const y = { name: "y" };
    const graph = { ...constant.graph, inputs: [x], outputs: [y], nodes: [node, makeNode("MatMul", [x, value], [y])] };
    const loaded = loadModelBytes(encodeModel(withGraph(constant, graph)));
    expect([...loaded.graph.initializers.keys()].map(({ name }) => name)).toEqual(["w"]);
    expect(bitsOf(weightOf(loaded) as Tensor)).toEqual(bitsOf(weightOf(product(16)) as Tensor));

    const apart = (data: Uint8Array, location: string) => ({ location, offset: 0, length: data.length });
    const parts = [sparse.values, sparse.indices].map((each) => each.data as Uint8Array);
    const outside = withWeight(product(16), {
      ...sparse,
      values: { ...sparse.values, data: apart(parts[0]!, "values") },
      indices: { ...sparse.indices, data: apart(parts[1]!, "indices") },
    });
    const files = (indices: Uint8Array) =>
      new Map([
        ["values", parts[0]!],
        ["indices", indices],
      ]);
    const read = loadModelBytes(encodeModel(outside), files(parts[1]!));
    expect(bitsOf(weightOf(read) as Tensor)).toEqual(bitsOf(weightOf(product(16)) as Tensor));
    const twice = new Uint8Array(parts[1]!.length);
    expect(() => loadModelBytes(encodeModel(outside), files(twice))).toThrow(/does not lie behind the one before/);
  });

  it("are refused when the dense tensor would be too large", () => {
    const bytes = malformed([5], int64s([0]), [2 ** 20, 2 ** 20]);
    expect(bytes.length).toBeLessThan(1000);
    expect(() => decodeModel(bytes)).toThrow(LimitError);
  });
});
