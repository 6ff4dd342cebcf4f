/** @file Resampling. */
import { family, fixed, list, type PairInput, plain } from "../family.ts";

const resize = family(
  "Resize",
  {
    mode: [undefined, "nearest", "linear", "cubic"],
    coordinates: [
      undefined,
      "half_pixel",
      "half_pixel_symmetric",
      "pytorch_half_pixel",
      "align_corners",
      "asymmetric",
      "tf_crop_and_resize",
    ],
    nearest_mode: [undefined, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"],
    by: ["scales", "sizes"],
    factor: ["up", "down", "mixed", "same", "one"],
    dims: [
      [1, 2, 4, 5],
      [2, 1, 3, 3],
      [4, 5],
      [1, 1, 5],
      [1, 1, 2, 3, 2],
    ],
    antialias: [undefined, 0, 1],
    exclude_outside: [undefined, 0, 1],
    cubic_coeff_a: [undefined, -0.5],
    axes: ["absent", "spatial", "negative"],
    policy: [undefined, "stretch", "not_larger", "not_smaller"],
    extrapolation: [undefined, 0.5],
    opset: [10, 11, 13, 18, 19],
  },
  ({
    mode,
    coordinates,
    nearest_mode,
    by,
    factor,
    dims,
    antialias,
    exclude_outside,
    cubic_coeff_a,
    axes,
    policy,
    extrapolation,
    opset,
  }) => {
    if (
      opset === 10 &&
      (coordinates ||
        nearest_mode ||
        by === "sizes" ||
        mode === "cubic" ||
        exclude_outside !== undefined ||
        cubic_coeff_a)
    )
      return undefined;
    if (coordinates === "half_pixel_symmetric" && opset < 19) return undefined;
    if (opset < 18 && (antialias !== undefined || axes !== "absent" || policy)) return undefined;
    if (policy && by === "scales") return undefined;
    if (mode !== "cubic" && (exclude_outside === 1 || cubic_coeff_a)) return undefined;
    if (antialias === 1 && (mode === undefined || mode === "nearest")) return undefined;
    if (antialias === 1 && (coordinates === "tf_crop_and_resize" || dims.length !== 4)) return undefined;
    if (mode === "cubic" && dims.length !== 4 && dims.length !== 2) return undefined;
    if (extrapolation && coordinates !== "tf_crop_and_resize") return undefined;
    if (nearest_mode && mode !== undefined && mode !== "nearest") return undefined;
    if ((policy ?? "stretch") !== "stretch" && axes === "absent" && dims.length !== 2) return undefined;
    const spatial = dims.length > 2 ? [...dims.keys()].slice(2) : [...dims.keys()];
    const factors = spatial.map(
      (_, i) => ({ up: 1.5, down: 0.62, mixed: i % 2 === 0 ? 2 : 0.5, same: 1, one: 0 })[factor],
    );
    const lengths = spatial.map((axis, i) => Math.max(1, Math.floor(dims[axis]! * factors[i]!)));
    if (factor === "one" && by === "scales") return undefined;
    if (by === "scales" && spatial.some((axis, i) => dims[axis]! * factors[i]! < 1)) return undefined;
    const open = (of: readonly number[], rest: (axis: number) => number): number[] =>
      axes !== "absent"
        ? [...of]
        : dims.map((_, axis) => (spatial.includes(axis) ? of[spatial.indexOf(axis)]! : rest(axis)));
    const scales = open(factors, () => 1);
    const sizes = open(lengths, (axis) => dims[axis]!);
    if (opset === 10) return { inputs: [plain(...dims), fixed([dims.length], scales)], attributes: { mode }, opset };
    const count = axes === "absent" ? dims.length : spatial.length;
    const inside: PairInput | undefined =
      coordinates === "tf_crop_and_resize"
        ? fixed(
            [2 * count],
            [...new Array<number>(count).fill(0), ...new Array<number>(count).fill(1)].map((v, i) =>
              axes === "absent" && dims.length > 2 && i % count < 2 ? v : v === 0 ? 0.1 : 0.8,
            ),
          )
        : opset < 13
          ? fixed([0], [])
          : undefined;
    return {
      inputs: [
        plain(...dims),
        inside,
        by === "scales" ? fixed([scales.length], scales) : opset < 13 ? fixed([0], []) : undefined,
        by === "sizes" ? list(...sizes) : undefined,
      ],
      attributes: {
        mode,
        coordinate_transformation_mode: coordinates,
        nearest_mode,
        antialias,
        exclude_outside,
        cubic_coeff_a,
        keep_aspect_ratio_policy: policy,
        extrapolation_value: extrapolation,
        axes:
          axes === "spatial" ? spatial : axes === "negative" ? spatial.map((axis) => axis - dims.length) : undefined,
      },
      opset,
    };
  },
);

const upsample = family(
  "Upsample",
  {
    mode: [undefined, "nearest", "linear"],
    dims: [
      [1, 2, 3, 4],
      [2, 1, 2, 2],
    ],
    scales: [
      [1, 1, 2, 2],
      [1, 1, 1, 3],
      [1, 1, 1.5, 2.5],
    ],
    opset: [7, 9],
  },
  ({ mode, dims, scales, opset }) =>
    opset < 9
      ? { inputs: [plain(...dims)], attributes: { mode, scales: [...scales] }, opset }
      : { inputs: [plain(...dims), fixed([4], scales)], attributes: { mode }, opset },
);

const gridSample = family(
  "GridSample",
  {
    mode: ["linear", "nearest", "cubic", "bilinear", undefined],
    padding_mode: [undefined, "zeros", "border", "reflection"],
    align_corners: [undefined, 0, 1],
    dims: [
      [1, 2, 4, 5],
      [2, 1, 3, 3],
      [1, 1, 3, 2, 3],
    ],
    reach: [0.9, 1.6, 2.7],
    opset: [16, 20, 22],
  },
  ({ mode, padding_mode, align_corners, dims, reach, opset }) => {
    if ((mode === "bilinear") === opset >= 20 && mode !== "nearest" && mode !== undefined && mode !== "cubic")
      return undefined;
    if (mode === "cubic" && (opset < 20 || dims.length === 5)) return undefined;
    if (dims.length === 5 && opset < 20) return undefined;
    const rank = dims.length - 2;
    return {
      inputs: [
        plain(...dims),
        {
          dims: [dims[0], ...[2, 3, 2].slice(0, rank), rank],
          low: -reach,
          high: reach,
          ...(mode === "nearest" && { differentiable: false as const }),
        },
      ],
      attributes: { mode, padding_mode, align_corners },
      opset,
    };
  },
  // Its places are computed from the lengths of the image, which have to be known.
  { widths: (rank, input) => (input === 0 ? [...Array(rank).keys()].slice(1) : []) },
);

const affineGrid = family(
  "AffineGrid",
  {
    align_corners: [undefined, 0, 1],
    size: [
      [1, 1, 2, 3],
      [2, 3, 1, 2],
      [1, 1, 2, 2, 3],
    ],
  },
  ({ align_corners, size }) => ({
    inputs: [plain(size[0], size.length - 2, size.length - 1), list(...size)],
    attributes: { align_corners },
  }),
);

const roiAlign = family(
  "RoiAlign",
  {
    mode: [undefined, "avg", "max"],
    output: [undefined, [2, 2], [3, 2]],
    sampling_ratio: [undefined, 0, 2],
    spatial_scale: [undefined, 0.5],
    coordinates: [undefined, "half_pixel", "output_half_pixel"],
    opset: [16, 22],
  },
  ({ mode, output, sampling_ratio, spatial_scale, coordinates, opset }) => ({
    inputs: [plain(2, 2, 6, 5), fixed([2, 4], [0.3, 0.4, 3.2, 4.1, 1, 0.2, 4.6, 2.9]), fixed([2], [0, 1], "int64")],
    attributes: {
      mode,
      output_height: output?.[0],
      output_width: output?.[1],
      sampling_ratio,
      spatial_scale,
      coordinate_transformation_mode: coordinates,
    },
    opset,
  }),
);

export const imageFamilies = [resize, upsample, gridSample, affineGrid, roiAlign];
