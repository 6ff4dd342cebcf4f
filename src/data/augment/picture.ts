/** @file A labelled picture as planes of floats: what augmentations change. */
import { must } from "../../checked.ts";
import { DataError, ensure } from "../../errors.ts";
import { floatsOf, type Tensor, tensor } from "../../ir/index.ts";
import type { Sample } from "../dataset.ts";

export interface Picture {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** One plane of rows after the other: [channels, height, width]. */
  readonly values: Float32Array;
  /** The class index; absent once labels were mixed, and where the sample has none. */
  readonly label?: number;
  /** The probability of each class, once labels were mixed. */
  readonly target?: Float32Array;
}

/** The same picture with other values. */
export function withValues(picture: Picture, values: Float32Array): Picture {
  return { ...picture, values };
}

/** The name of the one input of a sample that is a picture: float32 of rank 3. */
export function pictureInput({ inputs, source }: Sample): string {
  const pictures = [...inputs].filter(([, { dtype, dims }]) => dtype === "float32" && dims.length === 3);
  const [first] = pictures;
  ensure(
    first !== undefined && pictures.length === 1,
    () =>
      new DataError("augmentation needs samples with one picture", {
        expected: "one input of float32 and three dims",
        got: [...inputs].map(([name, { dtype, dims }]) => `${name}: ${dtype}[${dims.join(", ")}]`).join("; "),
        where: source,
      }),
  );
  return first[0];
}

/** The picture in an input: [channels, height, width], or [height, width, channels] where only the last axis is 1 or 3. */
export function pictureOf(sample: Sample, input: string): Picture {
  const value = must(sample.inputs, input);
  const [a, b, c] = value.dims as [number, number, number];
  const label = {
    ...(sample.label !== undefined && { label: sample.label }),
    ...(sample.target && { target: sample.target }),
  };
  const values = floatsOf(value);
  if (!isChannelsLast(value)) return { channels: a, height: b, width: c, values, ...label };
  return { channels: c, height: a, width: b, values: transposed(values, a * b, c), ...label };
}

/** The sample with a changed picture in the layout and size that it had. */
export function withPicture(sample: Sample, input: string, { values, label, target, channels }: Picture): Sample {
  const { inputs, source } = sample;
  const { dims, dtype } = must(inputs, input);
  const laidOut = isChannelsLast(must(inputs, input)) ? transposed(values, channels, values.length / channels) : values;
  return {
    inputs: new Map(inputs).set(input, tensor(dtype, dims, laidOut)),
    source,
    ...(label !== undefined && { label }),
    ...(target && { target }),
  };
}

function isChannelsLast({ dims: [first, , last] }: Tensor): boolean {
  const isCount = (dim: number | undefined) => dim === 1 || dim === 3;
  return isCount(last) && !isCount(first);
}

/** A matrix [rows, columns] as [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}
