/** @file Fits a preprocess specification to what a model's input states. */
import { DataError } from "../errors.ts";
import { type DataType, type Dim, formatType, tensorType } from "../ir/index.ts";
import type { InputPort } from "./dataset.ts";
import type { PreprocessSpec } from "./preprocess-spec.ts";

export interface FittedSpec {
  readonly spec: PreprocessSpec;
  /** What was taken from the model or left as it was, in sentences. */
  readonly assumptions: readonly string[];
}

type Layout = NonNullable<PreprocessSpec["layout"]>;

/** The extents that the model states for one image; absent where they are symbolic. */
interface Extents {
  readonly layout: Layout;
  readonly channels: number | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/**
 * Takes layout, channel count, size and dtype from the model's input where they are static. The ratio of resize to
 * crop is kept: at 256 : 224, an input of 176 resizes the shorter side to ⌊176 · 256 / 224⌋ = 201. A model that takes
 * integers gets the pixels 0…255. A model whose input is no image is a `DataError`.
 */
export function fitToModel(spec: PreprocessSpec, port: InputPort): FittedSpec {
  const extents = extentsOf(spec, port);
  if (!extents)
    return { spec, assumptions: [`input "${port.name}" states no rank; the preprocessing is used as given`] };
  const notes: string[] = [];
  let fitted: PreprocessSpec = spec;
  fitted = withLayout(fitted, extents.layout, notes);
  fitted = withChannelCount(fitted, extents.channels, port, notes);
  fitted = withSize(fitted, extents, notes);
  fitted = withDtype(fitted, port.dtype, notes);
  return { spec: fitted, assumptions: notes };
}

function extentsOf(spec: PreprocessSpec, port: InputPort): Extents | undefined {
  if (!port.dims) return undefined;
  const dims = port.dims.length === 3 ? ["", ...port.dims] : port.dims;
  if (dims.length !== 4) {
    throw new DataError("the model's input is not an image", {
      expected: "3 or 4 dims",
      got: port.dtype ? formatType(tensorType(port.dtype, port.dims)) : `${port.dims.length} dims`,
      where: `input "${port.name}"`,
      hint: "Give the data as tensors: npy, npz, safetensors, CSV or JSONL.",
    });
  }
  const [, second, third, fourth] = dims as [Dim, Dim, Dim, Dim];
  const layout = layoutOf(second, fourth) ?? spec.layout ?? "nchw";
  const [channels, height, width] = layout === "nchw" ? [second, third, fourth] : [fourth, second, third];
  return { layout, channels: known(channels), height: known(height), width: known(width) };
}

/** The axis that holds 1 or 3 is the channels, when only one of the two candidates does. */
function layoutOf(second: Dim, fourth: Dim): Layout | undefined {
  const first = isChannelCount(second);
  const last = isChannelCount(fourth);
  if (first === last) return undefined;
  return first ? "nchw" : "nhwc";
}

function isChannelCount(dim: Dim): boolean {
  return dim === 1 || dim === 3;
}

function known(dim: Dim): number | undefined {
  return typeof dim === "number" && dim > 0 ? dim : undefined;
}

function withLayout(spec: PreprocessSpec, layout: Layout, notes: string[]): PreprocessSpec {
  if ((spec.layout ?? "nchw") === layout) return spec;
  notes.push(`the layout is ${layout}, from the model's input`);
  return { ...spec, layout };
}

function withChannelCount(
  spec: PreprocessSpec,
  count: number | undefined,
  port: InputPort,
  notes: string[],
): PreprocessSpec {
  if (count === undefined) return spec;
  const given = spec.channels === undefined ? undefined : spec.channels === "gray" ? 1 : 3;
  if (given === count) return spec;
  if (count !== 1 && count !== 3) {
    throw new DataError("images cannot fill the model's input", {
      expected: "1 or 3 channels",
      got: `${count}`,
      where: `input "${port.name}"`,
    });
  }
  const channels = count === 1 ? "gray" : "rgb";
  notes.push(`the channels are ${channels}, from the model's input`);
  const fitted: PreprocessSpec = { ...spec, channels };
  return count === 1 ? withOneChannel(fitted, notes) : fitted;
}

/** Statistics of three channels have no meaning for one; their average is used and said. */
function withOneChannel(spec: PreprocessSpec, notes: string[]): PreprocessSpec {
  const { mean, std } = spec;
  if ((mean?.length ?? 1) === 1 && (std?.length ?? 1) === 1) return spec;
  notes.push("mean and std are the averages over the three channels");
  return { ...spec, ...(mean && { mean: [average(mean)] }), ...(std && { std: [average(std)] }) };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function withSize(spec: PreprocessSpec, { width, height }: Extents, notes: string[]): PreprocessSpec {
  if (width === undefined || height === undefined) {
    const size = spec.crop ?? (spec.resize && "width" in spec.resize ? spec.resize : undefined);
    const used = size ? `${size.width}×${size.height}, the preprocessing's` : "that of the images";
    notes.push(`the model accepts any image size; the size is ${used}`);
    return spec;
  }
  const { resize, crop } = spec;
  if (crop?.width === width && crop.height === height) return spec;
  if (!crop && resize && "width" in resize && resize.width === width && resize.height === height) return spec;
  notes.push(`the size is ${width}×${height}, from the model's input`);
  if (!resize && !crop) return { ...spec, resize: { width, height } };
  if (width !== height || !resize || "width" in resize) return exactSize(spec, width, height, notes);
  const shorter = crop ? Math.floor((width * resize.shorter) / Math.min(crop.width, crop.height)) : width;
  if (crop) notes.push(`the shorter side is resized to ${shorter}, which keeps the ratio of resize to crop`);
  return { ...spec, resize: { shorter }, crop: { width, height } };
}

function exactSize(spec: PreprocessSpec, width: number, height: number, notes: string[]): PreprocessSpec {
  if (!spec.resize) return { ...spec, crop: { width, height } };
  const { crop: _, ...rest } = spec;
  notes.push("images are resized to it without keeping their aspect ratio");
  return { ...rest, resize: { width, height } };
}

const floatTypes: ReadonlySet<string> = new Set(["float32", "float16", "float64", "bfloat16"]);
const integerTypes: ReadonlySet<string> = new Set(["uint8", "int8", "int32", "int64"]);

function withDtype(spec: PreprocessSpec, dtype: DataType | undefined, notes: string[]): PreprocessSpec {
  if (dtype === undefined || dtype === (spec.dtype ?? "float32")) return spec;
  if (floatTypes.has(dtype)) {
    notes.push(`the dtype is ${dtype}, from the model's input`);
    return { ...spec, dtype: dtype as NonNullable<PreprocessSpec["dtype"]> };
  }
  if (!integerTypes.has(dtype)) throw new DataError("images cannot become the model's input", { got: dtype });
  notes.push(`the model takes ${dtype}, so it gets the pixels 0…255 and no normalisation`);
  const { scale: _scale, mean: _mean, std: _std, ...rest } = spec;
  return { ...rest, dtype: dtype as NonNullable<PreprocessSpec["dtype"]> };
}
