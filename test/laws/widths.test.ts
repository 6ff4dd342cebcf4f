/** @file Slimmable networks: each width alone is what it is in the whole, with smaller weights, and all widths train at once. */
import { describe, expect, it } from "vitest";
import { evaluateWith } from "../../src/accelerate/index.ts";
import { atWidth, slimmable, widthTerms } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { batchNorm, conv, type Layers, linear } from "../../src/nn/index.ts";
import { costOf } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const input = (n: Layers) => n.input("input", "float32", ["batch", 1, 6, 6]);
const slim = slimmable(random(1), {
  widths: [0.25, 0.5],
  input,
  build(n, x, width) {
    const first = n.scope("first");
    const y = n.op("Relu", [batchNorm(first, conv(first, x, 8 * width, { kernel: 3, bias: false }))]);
    const z = n.op("Relu", [conv(n.scope("second"), y, 8 * width, { kernel: 3, stride: 2 })]);
    return linear(n.scope("head"), n.op("ReduceMean", [z, n.ints([2, 3])], { keepdims: 0 }), 3);
  },
});
const source = random(2);
const feeds = new Map([
  [
    "input",
    tensorFromNumbers(
      "float32",
      [2, 1, 6, 6],
      Array.from({ length: 72 }, () => source.normal()),
    ),
  ],
]);
const folding = evaluateWith(openSession);
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

describe("slimmable networks", () => {
  it("give every width alone, cut, as in the whole, and on ONNX Runtime", async () => {
    const together = evaluate(slim.model, feeds);
    const macs: number[] = [];
    for (const { name } of slim.outputs) {
      const alone = await atWidth(slim.model, name, folding);
      expect(verify(alone)).toEqual([]);
      expect(alone.graph.nodes.some(({ opType }) => opType === "Slice")).toBe(false);
      expect(list(evaluate(alone, feeds).get(name))).toEqual(list(together.get(name)));
      await using session = await openSession(alone);
      const own = list((await session.run(feeds)).get(name));
      own.forEach((x, i) => void expect(x).toBeCloseTo(list(together.get(name))[i]!, 5));
      macs.push(costOf(alone).macs);
    }
    expect(slim.outputs.map(({ width }) => width)).toEqual([1, 0.5, 0.25]);
    expect(macs[1]).toBeLessThan(0.4 * macs[0]!);
    expect(macs[2]).toBeLessThan(0.4 * macs[1]!);
  });

  it("have the first channels of the whole network's kernels and matrices", async () => {
    const matricesOf = async (name: string) => {
      const { graph } = await atWidth(slim.model, name, folding);
      const read = graph.nodes.flatMap(({ inputs }) =>
        inputs.flatMap((value) => (value && graph.initializers.get(value)) ?? []),
      );
      return read.filter((data): data is Tensor => "dtype" in data && data.dims.length > 1);
    };
    const whole = await matricesOf("logits");
    for (const { name } of slim.outputs.slice(1)) {
      const narrow = await matricesOf(name);
      expect(narrow).toHaveLength(whole.length);
      for (const [at, cut] of narrow.entries()) {
        const { dims } = cut;
        const full = whole[at]!;
        const expected = list(cut).map((_, i) => {
          let [left, stride, place] = [i, 1, 0];
          for (let axis = dims.length - 1; axis >= 0; axis--) {
            place += (left % dims[axis]!) * stride;
            left = Math.floor(left / dims[axis]!);
            stride *= full.dims[axis]!;
          }
          return list(full)[place];
        });
        expect(list(cut), `${name} ${at}`).toEqual(expected);
      }
    }
  });

  it("share kernels and matrices, not vectors and statistics, and train together", () => {
    const step = trainingStep(slim.model, {
      loss: "crossEntropy",
      output: "logits",
      terms: widthTerms(slim, "crossEntropy"),
      optimizer: sgd(),
    });
    const parameters = step.state.filter(({ kind }) => kind === "parameter").map(({ initial }) => initial.dims.length);
    expect(parameters.filter((rank) => rank > 1)).toHaveLength(3);
    expect(parameters.filter((rank) => rank === 1)).toHaveLength(3 * 4);
    expect(step.state.filter(({ kind }) => kind === "statistic")).toHaveLength(3 * 2);
  });

  it("refuse wrong use by name", async () => {
    const build = (n: Layers, x: ReturnType<typeof input>, width: number) =>
      width < 1 ? x : conv(n.scope("only"), x, 2, { kernel: 1 });
    expect(() => slimmable(random(1), { widths: [0.5], input, build })).toThrow(UsageError);
    expect(() => slimmable(random(1), { widths: [2], input, build })).toThrow(UsageError);
    const refusing = async () => Promise.reject(new UnsupportedError("refused"));
    await expect(atWidth(slim.model, slim.outputs[1]!.name, refusing)).rejects.toThrow(UnsupportedError);
    await expect(atWidth(slim.model, "nowhere", folding)).rejects.toThrow(UsageError);
  });
});
