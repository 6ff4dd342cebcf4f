/** @file The inputs of a layer's matrix product: rows of a tensor, or the patches that a convolution sees. */
import { nth } from "../checked.ts";
import { floatsOf, intsOf, type Node, stringOf, type Tensor } from "../ir/index.ts";
import type { Layer } from "./layer.ts";

/** Patches of one tensor; `read` fills `target` with the inputs of `position` for one group. */
export interface Patches {
  readonly count: number;
  read(position: number, group: number, target: Float32Array, offset: number): void;
}

/** The patches of `input` under `layer`, or the reason why they cannot be read. */
export function patchesOf(layer: Layer, input: Tensor): Patches | string {
  if (layer.node.opType !== "Conv") return rowsOf(layer, input);
  if (input.dims.length !== 4) return `patches of a ${input.dims.length - 2}-dimensional convolution are not read`;
  return convolutionPatches(layer, input);
}

/** Of stacked matrices each reads the rows of its own place, or all read the same ones. */
function rowsOf({ columns, groups, weightTensor }: Layer, input: Tensor): Patches | string {
  const data = floatsOf(input);
  const places = input.dims.slice(0, -2);
  const isShared = groups === 1 || places.every((length) => length === 1);
  if (!isShared && places.join() !== weightTensor.dims.slice(0, -2).join()) {
    return "rows of stacked matrices are read where there is one stack for all or one for each";
  }
  const all = data.length / columns;
  const count = isShared ? all : all / groups;
  return {
    count,
    read(position, group, target, offset) {
      const row = isShared ? position : group * count + position;
      for (let i = 0; i < columns; i++) target[offset + i] = data[row * columns + i]!;
    },
  };
}

interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top and left. */
  readonly pads: readonly [number, number];
  readonly out: readonly [number, number];
}

function convolutionPatches(layer: Layer, input: Tensor): Patches {
  const data = floatsOf(input);
  const [batch, channels, height, width] = input.dims as [number, number, number, number];
  const { kernel, strides, dilations, pads, out } = windowOf(layer, height, width);
  const perGroup = channels / layer.groups;
  const area = out[0] * out[1];
  return {
    count: batch * area,
    read(position, group, target, offset) {
      const image = Math.floor(position / area);
      const top = Math.floor((position % area) / out[1]) * strides[0] - pads[0];
      const left = (position % out[1]) * strides[1] - pads[1];
      let at = offset;
      for (let c = 0; c < perGroup; c++) {
        const plane = (image * channels + group * perGroup + c) * height;
        for (let ky = 0; ky < kernel[0]; ky++) {
          const y = top + ky * dilations[0];
          const row = (plane + y) * width;
          for (let kx = 0; kx < kernel[1]; kx++) {
            const x = left + kx * dilations[1];
            target[at++] = y >= 0 && y < height && x >= 0 && x < width ? data[row + x]! : 0;
          }
        }
      }
    },
  };
}

function windowOf({ node, weightTensor }: Layer, height: number, width: number): Window {
  const kernel = weightTensor.dims.slice(2) as unknown as readonly [number, number];
  const pair = (name: string): readonly [number, number] => {
    const [a = 1, b = 1] = intsOf(node, name) ?? [];
    return [a, b];
  };
  const strides = pair("strides");
  const dilations = pair("dilations");
  const sides = [height, width].map((length, i) => {
    const reach = (nth(kernel, i) - 1) * nth(dilations, i) + 1;
    return side(node, i, length, reach, nth(strides, i));
  });
  return {
    kernel,
    strides,
    dilations,
    pads: [nth(sides, 0).pad, nth(sides, 1).pad],
    out: [nth(sides, 0).out, nth(sides, 1).out],
  };
}

function side(node: Node, axis: number, length: number, reach: number, stride: number): { pad: number; out: number } {
  const mode = stringOf(node, "auto_pad", "NOTSET");
  if (mode === "SAME_UPPER" || mode === "SAME_LOWER") {
    const out = Math.ceil(length / stride);
    const total = Math.max(0, (out - 1) * stride + reach - length);
    return { pad: mode === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2), out };
  }
  const pads = mode === "NOTSET" ? (intsOf(node, "pads") ?? []) : [];
  const pad = pads[axis] ?? 0;
  return { pad, out: Math.floor((length + pad + (pads[axis + 2] ?? 0) - reach) / stride) + 1 };
}
