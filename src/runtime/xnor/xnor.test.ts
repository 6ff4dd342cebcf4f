import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { builtKernel } from "../../../test/xnor-source.ts";
import { random } from "../../data/index.ts";
import { numbersOf, tensor, type Value } from "../../ir/index.ts";
import { binaryConnect, binaryConv, binaryLinear, type Layers, network } from "../../nn/index.ts";
import { evaluate } from "../../reference/index.ts";
import { type Kernel, openKernel } from "./kernel.ts";
import { signLayer } from "./run-layer.ts";
import { xnorBytes } from "./xnor-bytes.ts";

it("the committed bytes are those of the text", async () => {
  expect(await builtKernel()).toBe(xnorBytes);
});

/** Numbers of both signs, zeros of both signs among them. */
function drawn(count: number, seed: number): Float32Array {
  const source = random(seed);
  return new Float32Array(count).map(() => [0, -0, source.normal(), source.normal()][source.below(4)]!);
}

/** What the network of one layer computes in float64. */
function simulated(dims: readonly number[], x: Float32Array, layer: (n: Layers, x: Value) => Value) {
  const built = network(random(1), (n) => n.output(layer(n, n.input("x", "float32", dims)), "y"));
  const y = evaluate(built, new Map([["x", tensor("float32", dims, x)]])).get("y")!;
  return { dims: y.dims, numbers: [...numbersOf(y)] };
}

const plain = (outputs: number) => ({
  outputs,
  scales: new Array<number>(outputs).fill(1),
  biases: new Array<number>(outputs).fill(0),
});

const signsOf = (weights: Float32Array) => Uint8Array.from(weights, (weight) => (weight < 0 ? 1 : 0));

function expectSame(
  { dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array },
  expected: ReturnType<typeof simulated>,
): void {
  expect(dims).toEqual(expected.dims);
  expect(Array.from(data)).toEqual(expected.numbers);
}

/** The same kernel for all cases, so that what one leaves in memory would be seen by the next. */
const kernel: Kernel = openKernel();

describe("the kernel", () => {
  it("sums signs of rows bit for bit, for any lengths", () => {
    const length = fc.integer({ min: 1, max: 700 });
    const count = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(count, length, count, fc.integer({ min: 1, max: 1e6 }), (rows, inputs, outputs, seed) => {
        const [x, columns] = [drawn(rows * inputs, seed), drawn(inputs * outputs, seed + 1)];
        const negative = new Uint8Array(inputs * outputs);
        for (let o = 0; o < outputs; o++) {
          for (let i = 0; i < inputs; i++) negative[o * inputs + i] = columns[i * outputs + o]! < 0 ? 1 : 0;
        }
        const run = signLayer(kernel, { kind: "product", inputs, negative, ...plain(outputs) });
        const layer = (n: Layers, value: Value) =>
          binaryLinear(n, value, outputs, { levels: binaryConnect(), weight: () => columns });
        expectSame(run(x, [rows, inputs]), simulated([rows, inputs], x, layer));
      }),
      { numRuns: 60, seed: 7, examples: [[5, 70_000, 3, 1]] },
    );
  });

  it("sums signs of windows bit for bit, for any numbers of channels, strides and paddings", () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      channels: fc.integer({ min: 1, max: 70 }),
      outputs: fc.integer({ min: 1, max: 5 }),
      height: fc.integer({ min: 3, max: 7 }),
      width: fc.integer({ min: 3, max: 7 }),
      kernel: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 2 }),
      padding: fc.integer({ min: 0, max: 1 }),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(cases, ({ batch, channels, outputs, height, width, kernel: size, stride, padding, seed }) => {
        const dims = [batch, channels, height, width];
        const x = drawn(batch * channels * height * width, seed);
        const weights = drawn(outputs * channels * size * size, seed + 1);
        const run = signLayer(kernel, {
          kind: "convolution",
          channels,
          negative: signsOf(weights),
          kernel: [size, size],
          strides: [stride, stride],
          pads: [padding, padding, padding, padding],
          ...plain(outputs),
        });
        const layer = (n: Layers, value: Value) =>
          binaryConv(n, value, outputs, {
            ...{ kernel: size, stride, padding },
            levels: binaryConnect(),
            weight: () => weights,
          });
        expectSame(run(x, dims), simulated(dims, x, layer));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it("scales and shifts every output", () => {
    const layer = { kind: "product", inputs: 3, outputs: 2, negative: Uint8Array.of(0, 0, 0, 1, 1, 1) } as const;
    const run = signLayer(kernel, { ...layer, scales: [0.5, 2], biases: [1, -1] });
    expect([...run(Float32Array.of(1, 2, -3, 1, 1, 1), [2, 3]).data]).toEqual([1.5, -3, 2.5, -7]);
  });
});
