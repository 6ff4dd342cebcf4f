/** @file Convolutions and pools. */
import { distinct } from "../../laws/gradient-cases/case.ts";
import { family, plain, whole } from "../family.ts";

const one = (rank: number, value: number): number[] => new Array<number>(rank).fill(value);

const padding = ["none", "even", "odd", "wide", "SAME_UPPER", "SAME_LOWER", "VALID"] as const;

/** The attributes of one way of padding over `rank` axes. */
function padded(how: (typeof padding)[number], rank: number, kernel: readonly number[]) {
  if (how === "none") return {};
  if (how === "even") return { pads: one(2 * rank, 1) };
  if (how === "odd") return { pads: Array.from({ length: 2 * rank }, (_, i) => (i + 1) % 2) };
  if (how === "wide") return { pads: [...kernel, ...kernel].map((k) => k - 1) };
  return { auto_pad: how };
}

const lengths = [[7], [6], [5, 6], [6, 5], [7, 7], [4, 5, 4]] as const;

function kernelOf(kind: "1" | "2" | "3" | "mixed", rank: number): number[] {
  return kind === "mixed" ? [3, 2, 1].slice(0, rank) : one(rank, Number(kind));
}

function perAxis(kind: "default" | "1" | "2" | "3" | "mixed", rank: number): number[] | undefined {
  if (kind === "default") return undefined;
  return kind === "mixed" ? [2, 1, 2].slice(0, rank) : one(rank, Number(kind));
}

const conv = family(
  "Conv",
  {
    length: lengths,
    kernel: ["1", "2", "3", "mixed"],
    strides: ["default", "2", "3", "mixed"],
    dilations: ["default", "2", "mixed"],
    padding,
    group: ["1", "2", "depthwise", "multiplied"],
    channels: [1, 2, 9],
    bias: [true, false],
    batch: [1, 2],
    named: [true, false],
  },
  ({ length, kernel: kind, strides, dilations, padding: how, group, channels, bias, batch, named }) => {
    const rank = length.length;
    const kernel = kernelOf(kind, rank);
    const reach = kernel.map((k, i) => (k - 1) * (perAxis(dilations, rank)?.[i] ?? 1) + 1);
    if (reach.some((n, i) => n > length[i]!)) return undefined;
    if (how.startsWith("SAME") && dilations !== "default") return undefined;
    const inputs = group === "1" ? channels : group === "2" ? 2 * channels : channels + 1;
    const groups = group === "1" ? 1 : group === "2" ? 2 : inputs;
    const outputs = group === "multiplied" ? 2 * inputs : group === "depthwise" ? inputs : 4;
    return {
      inputs: [
        plain(batch, inputs, ...length),
        plain(outputs, inputs / groups, ...kernel),
        bias ? plain(outputs) : undefined,
      ],
      attributes: {
        group: groups === 1 ? undefined : groups,
        strides: perAxis(strides, rank),
        dilations: perAxis(dilations, rank),
        kernel_shape: named ? kernel : undefined,
        ...padded(how, rank, reach),
      },
    };
  },
);

const convTranspose = family(
  "ConvTranspose",
  {
    length: [[4], [3, 4], [4, 3], [2, 3, 2]],
    kernel: ["1", "2", "3", "mixed"],
    strides: ["default", "2", "3", "mixed"],
    dilations: ["default", "2", "mixed"],
    padding: ["none", "even", "odd", "SAME_UPPER", "SAME_LOWER", "VALID"],
    size: ["natural", "output_padding", "output_shape"],
    group: [1, 2],
    bias: [true, false],
    batch: [1, 2],
  },
  ({ length, kernel: kind, strides, dilations, padding: how, size, group, bias, batch }) => {
    const rank = length.length;
    const kernel = kernelOf(kind, rank);
    const steps = perAxis(strides, rank);
    const isLong = (steps ?? one(rank, 1)).every((n) => n > 1);
    if (size === "output_padding" && !isLong) return undefined;
    const natural = length.map(
      (n, i) => (n - 1) * (steps?.[i] ?? 1) + (kernel[i]! - 1) * (perAxis(dilations, rank)?.[i] ?? 1) + 1,
    );
    if ((how === "even" || how === "odd") && natural.some((n) => n < 3)) return undefined;
    if (size === "output_shape" && (how === "even" || how === "odd" || natural.some((n, i) => n <= length[i]!)))
      return undefined;
    return {
      inputs: [plain(batch, 2 * group, ...length), plain(2 * group, 3, ...kernel), bias ? plain(3 * group) : undefined],
      attributes: {
        group,
        strides: steps,
        dilations: perAxis(dilations, rank),
        output_padding: size === "output_padding" ? one(rank, 1) : undefined,
        output_shape: size === "output_shape" ? natural.map((n) => Math.max(1, n - 1)) : undefined,
        ...padded(how, rank, kernel),
      },
    };
  },
);

const pool = {
  length: lengths,
  kernel: ["1", "2", "3", "mixed"],
  strides: ["default", "2", "3", "mixed"],
  dilations: ["default", "2", "mixed"],
  padding,
  ceil: [0, 1],
  opset: [10, 11, 12, 19, 21, 22],
  planes: [
    [1, 1],
    [2, 3],
  ],
} as const;

interface PoolPick {
  readonly length: readonly number[];
  readonly kernel: "1" | "2" | "3" | "mixed";
  readonly strides: "default" | "2" | "3" | "mixed";
  readonly dilations: "default" | "2" | "mixed";
  readonly padding: (typeof padding)[number];
  readonly ceil: number;
}

/** The attributes of a pool; `undefined` where the windows do not fit. */
function pooled({ length, kernel: kind, strides, dilations, padding: how, ceil }: PoolPick) {
  const rank = length.length;
  const kernel = kernelOf(kind, rank);
  const reach = kernel.map((k, i) => (k - 1) * (perAxis(dilations, rank)?.[i] ?? 1) + 1);
  if (reach.some((n, i) => n > length[i]!)) return undefined;
  if ((how === "even" || how === "odd") && kernel.some((k) => k < 2)) return undefined;
  if (how.startsWith("SAME") && dilations !== "default") return undefined;
  return {
    kernel_shape: kernel,
    strides: perAxis(strides, rank),
    dilations: perAxis(dilations, rank),
    ceil_mode: ceil === 1 ? 1 : undefined,
    ...padded(how, rank, kernel),
  };
}

const maxPool = family("MaxPool", { ...pool, outputs: [1, 2], storage: [0, 1] }, (pick) => {
  const attributes = pooled(pick);
  if (!attributes || (pick.storage === 1 && pick.outputs === 1)) return undefined;
  return {
    inputs: [distinct(...pick.planes, ...pick.length)],
    attributes: { ...attributes, storage_order: pick.storage === 1 ? 1 : undefined },
    outputs: pick.outputs,
    opset: pick.opset,
  };
});

const averagePool = family("AveragePool", { ...pool, counted: [0, 1] }, (pick) => {
  const attributes = pooled(pick);
  if (!attributes || (attributes.dilations && pick.opset < 19)) return undefined;
  return {
    inputs: [plain(...pick.planes, ...pick.length)],
    attributes: { ...attributes, count_include_pad: pick.counted },
    opset: pick.opset,
  };
});

const lpPool = family("LpPool", { ...pool, p: [undefined, 1, 2, 3], opset: [11, 18, 21, 22] }, (pick) => {
  const attributes = pooled(pick);
  if (!attributes || (pick.opset < 18 && (attributes.dilations || pick.ceil === 1))) return undefined;
  return {
    inputs: [{ dims: [...pick.planes, ...pick.length], low: 0.3, high: 2 }],
    attributes: { ...attributes, p: pick.p },
    opset: pick.opset,
  };
});

const globalPools = family(
  "global pools",
  {
    op: ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"],
    dims: [
      [2, 3, 4],
      [1, 2, 3, 4],
      [2, 1, 2, 3, 2],
      [1, 1, 1, 1],
      [2, 3, 1],
      [0, 2, 3],
    ],
    p: [undefined, 1, 2, 3],
    opset: [13, 21, 22],
  },
  ({ op, dims, p, opset }) => {
    if (p !== undefined && op !== "GlobalLpPool") return undefined;
    return { op, inputs: [distinct(...dims)], attributes: { p }, opset };
  },
  { operators: ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"] },
);

const maxUnpool = family(
  "MaxUnpool",
  {
    planes: [
      [1, 1],
      [1, 2],
    ],
    kernel: [
      [2, 2],
      [3, 2],
    ],
    strides: [undefined, [2, 2], [3, 2]],
    padded: [false, true],
    sized: [false, true],
  },
  ({ planes, kernel, strides = [1, 1], padded: isPadded, sized }) => {
    const pads = isPadded ? [1, 0, 0, 1] : [0, 0, 0, 0];
    const dims = [2, 2].map((n, i) => (n - 1) * strides[i]! + kernel[i]! - pads[i]! - pads[i + 2]!);
    const cells = dims[0]! * dims[1]!;
    const count = planes[1] * 4;
    if (cells < 4) return undefined;
    const places = Array.from({ length: count }, (_, i) => Math.floor(i / 4) * cells + [1, 0, cells - 1, 2][i % 4]!);
    const size = whole([4], [...planes, dims[0]! + 1, dims[1]!]);
    return {
      inputs: [
        plain(...planes, 2, 2),
        whole([...planes, 2, 2], places),
        sized ? { ...size, constant: true as const } : undefined,
      ],
      attributes: { kernel_shape: kernel, strides, pads: isPadded ? pads : undefined },
    };
  },
);

export const windowFamilies = [conv, convTranspose, maxPool, averagePool, lpPool, globalPools, maxUnpool];
