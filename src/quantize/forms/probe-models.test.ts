import { describe, expect, it } from "vitest";
import { isSparse, type Model, type Tensor, verify } from "../../ir/index.ts";
import { inferModel } from "../../ops/index.ts";
import {
  dynamicProbe,
  float16Probe,
  floatProbe,
  nbitsProbe,
  noiseTensor,
  type ProbeModel,
  type ProbeProduct,
  probeProducts,
  staticProbe,
  weightOnlyProbe,
} from "./probe-models.ts";

const stored = ({ graph }: Model, name: string): Tensor => {
  const found = [...graph.initializers].find(([value]) => value.name === name)?.[1];
  if (!found || isSparse(found)) throw new Error(`no ${name}`);
  return found;
};

const opTypes = ({ model: { graph } }: ProbeModel): string[] => graph.nodes.map(({ opType }) => opType);

/** Dims of what the model gives. */
function answerOf({ model }: ProbeModel) {
  expect(verify(model)).toEqual([]);
  const { types, problems } = inferModel(model);
  expect(problems).toEqual([]);
  const [output] = model.graph.outputs;
  const type = types.get(output!);
  return type?.kind === "tensor" ? [type.dtype, type.dims] : [];
}

const shapes: Readonly<Record<ProbeProduct, readonly [weight: readonly number[], output: readonly number[]]>> = {
  conv: [
    [64, 64, 3, 3],
    [1, 64, 56, 56],
  ],
  "conv 1x1": [
    [64, 64, 1, 1],
    [1, 64, 56, 56],
  ],
  depthwise: [
    [64, 1, 3, 3],
    [1, 64, 56, 56],
  ],
  "matmul of one row": [
    [1024, 1024],
    [1, 1024],
  ],
  "matmul of 64 rows": [
    [1024, 1024],
    [64, 1024],
  ],
};

/** A product whose forms are quickly made. */
const small = (name: ProbeProduct) => {
  const product = probeProducts[name];
  return product.opType === "Conv"
    ? product
    : { ...product, inputDims: [product.inputDims[0], 64], weightDims: [64, 64] };
};

it("products are of 64 channels on 56 × 56 places, and of 1024 numbers", () => {
  for (const [name, [weight]] of Object.entries(shapes)) {
    const { opType, inputDims, weightDims } = probeProducts[name as ProbeProduct];
    expect(weightDims).toEqual(weight);
    const rows = name === "matmul of 64 rows" ? 64 : 1;
    expect(inputDims).toEqual(opType === "Conv" ? [1, 64, 56, 56] : [rows, 1024]);
  }
});

describe.each(Object.entries(shapes) as [ProbeProduct, (typeof shapes)[ProbeProduct]][])(
  "%s",
  (name, [weight, output]) => {
    const product = small(name);
    const isConv = product.opType === "Conv";
    const [weights, answer] = isConv
      ? [weight, output]
      : [
          [64, 64],
          [output[0], 64],
        ];

    it("in floats, and its forms, are valid models of the same size", () => {
      for (const probe of [
        floatProbe(product),
        staticProbe(product, "int8"),
        weightOnlyProbe(product),
        float16Probe(product),
      ]) {
        expect(answerOf(probe)).toEqual(["float32", answer]);
        expect(stored(probe.model, "w").dims).toEqual(weights);
      }
      const dynamic = dynamicProbe(product, "uint8");
      expect(verify(dynamic.model)).toEqual([]);
      expect(stored(dynamic.model, "w").dims).toEqual(weights);
    });

    it("is computed between integers in the static form", () => {
      const pair = ["QuantizeLinear", "DequantizeLinear"];
      const probe = staticProbe(product, "uint8");
      expect(opTypes(probe).sort()).toEqual(["DequantizeLinear", ...pair, product.opType, ...pair].sort());
      expect(stored(probe.model, "w").dtype).toBe("uint8");
      expect(stored(probe.model, "w_zero")).toMatchObject({ dtype: "uint8", dims: [] });
    });

    it("is a product of integers, scaled afterwards, in the dynamic form", () => {
      const probe = dynamicProbe(product, "int8");
      const integer = isConv ? "ConvInteger" : "MatMulInteger";
      expect(opTypes(probe)).toEqual(["DynamicQuantizeLinear", integer, "Mul", "Cast", "Mul"]);
      const [quantize, multiply] = probe.model.graph.nodes;
      expect(quantize!.outputs).toHaveLength(3);
      const [integers, , zero] = quantize!.outputs;
      expect(multiply!.inputs[0]).toBe(integers);
      expect(multiply!.inputs[2]).toBe(zero);
      expect(stored(probe.model, "w").dtype).toBe("int8");
    });

    it("reads weights through DequantizeLinear, or is computed in half precision", () => {
      expect(opTypes(weightOnlyProbe(product))).toEqual(["DequantizeLinear", product.opType]);
      expect(stored(weightOnlyProbe(product).model, "w_scale")).toMatchObject({ dtype: "float32", dims: [] });
      expect(opTypes(float16Probe(product))).toEqual(["Cast", product.opType, "Cast"]);
      expect(stored(float16Probe(product).model, "w").dtype).toBe("float16");
    });
  },
);

it.each([8, 4] as const)("a product with weights in blocks of %d bits says how they are packed", (bits) => {
  const { model, inputDims } = nbitsProbe(small("matmul of 64 rows"), bits, 4);
  expect(verify(model)).toEqual([]);
  expect(inputDims).toEqual([64, 64]);
  expect(model.opsets.get("com.microsoft")).toBe(1);
  expect(stored(model, "b").dims).toEqual([64, 2, 4 * bits]);
  expect(stored(model, "scales").dims).toEqual([64 * 2]);
});

it("the numbers are the same each time, and between −1 and 1", () => {
  const { data } = noiseTensor([2, 500]);
  expect(noiseTensor([2, 500]).data).toEqual(data);
  const values = new Float32Array((data as Uint8Array).slice().buffer);
  expect(values).toHaveLength(1000);
  expect(values.every((value) => value >= -1 && value < 1)).toBe(true);
  expect(Math.min(...values)).toBeLessThan(-0.95);
  expect(Math.max(...values)).toBeGreaterThan(0.95);
});
