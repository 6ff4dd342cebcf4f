import { describe, expect, it } from "vitest";
import { int64s, type Tensor, tensor } from "../../ir/index.ts";
import { storedContents, viewNode } from "./constant-store.ts";

/** Bytes of which no two rows or columns are alike. */
const bytes = (...dims: number[]): Tensor =>
  tensor(
    "uint8",
    dims,
    Uint8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i * 7 + (i >> 5)) & 255),
  );

const turned = ({ dims, data }: Tensor): Tensor => {
  const [rows, columns] = dims as [number, number];
  const from = data as Uint8Array;
  return tensor(
    "uint8",
    [columns, rows],
    Uint8Array.from(from, (_, i) => from[(i % rows) * columns + Math.floor(i / rows)]!),
  );
};

describe("a constant that is stored already", () => {
  const value = { name: "stored" };
  const store = (content: Tensor) => {
    const contents = storedContents();
    contents.add(value, content);
    return contents;
  };

  it("is found under equal dims, however small it is", () => {
    expect(store(bytes(2, 3)).find(bytes(2, 3))).toEqual({ value });
    expect(store(bytes(32, 64)).find(bytes(32, 64))).toEqual({ value });
  });

  it("is seen under other dims through a Reshape from 1024 numbers on", () => {
    const view = { opType: "Reshape", numbers: [64, 16] };
    expect(store(bytes(32, 32)).find(bytes(64, 16))).toEqual({ value, view });
    expect(store(bytes(33, 31)).find(bytes(31, 33))).toBeUndefined();
  });

  it("is seen with its axes exchanged through a Transpose, where an element is a byte", () => {
    const content = bytes(32, 64);
    const view = { opType: "Transpose", numbers: [1, 0] };
    expect(store(content).find(turned(content))).toEqual({ value, view });
    const floats = tensor("float32", [2, 1024], Float32Array.from({ length: 2048 }, Math.sqrt));
    const columns = tensor(
      "float32",
      [1024, 2],
      Float32Array.from({ length: 2048 }, (_, i) => Math.sqrt((i % 2) * 1024 + (i >> 1))),
    );
    expect(store(floats).find(columns)).toBeUndefined();
  });

  it("is another one where the numbers or the type are", () => {
    const content = bytes(32, 64);
    const other = tensor("uint8", [32, 64], (content.data as Uint8Array).with(2047, 1));
    expect(store(content).find(other)).toBeUndefined();
    expect(store(content).find({ ...content, dtype: "int8" })).toBeUndefined();
  });
});

it("a view is written as the node that computes it", () => {
  const [value, output] = [{ name: "stored" }, { name: "seen" }];
  const shapes: Tensor[] = [];
  const shape = (dims: Tensor) => {
    shapes.push(dims);
    return { name: "dims" };
  };
  const reshaped = viewNode({ value, view: { opType: "Reshape", numbers: [64, 16] } }, output, shape);
  expect(reshaped).toMatchObject({ opType: "Reshape", inputs: [value, { name: "dims" }], outputs: [output] });
  expect(shapes).toEqual([int64s([64, 16])]);
  const transposed = viewNode({ value, view: { opType: "Transpose", numbers: [1, 0] } }, output, shape);
  expect(transposed).toMatchObject({ opType: "Transpose", inputs: [value], outputs: [output] });
  expect(shapes).toHaveLength(1);
});
