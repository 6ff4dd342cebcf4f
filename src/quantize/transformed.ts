/** @file What `quantize` changes before it rounds: a transform by name, and outliers set apart. */
import type { Model } from "../ir/index.ts";
import type { TechniqueContext } from "../technique/index.ts";
import {
  outlierNodes,
  separateOutliers,
  type Transformed,
  type TransformName,
  type TransformNote,
  transforms,
} from "./transforms/index.ts";
import type { BlockLayout } from "./weights/weight-blocks.ts";

/** The settings that ask for it. */
interface TransformSettings {
  readonly transform?: TransformName;
  readonly alpha?: number;
  /** Share of the inputs of each matrix. */
  readonly outliers?: number;
  readonly bits?: BlockLayout["bits"];
  readonly blockSize?: BlockLayout["size"];
  readonly symmetric?: boolean;
  readonly exclude?: string[];
  readonly include?: string[];
}

interface Before extends Transformed {
  /** What the quantizer must leave, in place of what it was to leave. */
  readonly choice: { readonly exclude?: string[] };
}

type Context = Pick<TechniqueContext, "open" | "session" | "signal" | "data">;

export async function transformed(ready: Model, own: TransformSettings, context: Context): Promise<Before> {
  const { transform, outliers = 0, exclude } = own;
  const before = transform === undefined ? undefined : await byName(ready, transform, own, context);
  const model = before?.model ?? ready;
  const notes: readonly TransformNote[] = before?.notes ?? [];
  if (outliers === 0) return { model, notes, choice: {} };
  const apart = separateOutliers(model, { share: outliers, ...chosenOf(own), ...layoutOf(own) });
  const isDone = apart.notes.some(({ done }) => done);
  return {
    model: apart.model,
    notes: [...notes, ...apart.notes],
    choice: isDone ? { exclude: [...(exclude ?? []), outlierNodes] } : {},
  };
}

function byName(
  model: Model,
  name: TransformName,
  own: TransformSettings,
  { open, session, signal, data }: Context,
): Transformed | Promise<Transformed> {
  const calibration = () => data.calibration();
  const observed = { open, calibration, threads: session.threads, signal, ...chosenOf(own) };
  const { alpha } = own;
  switch (name) {
    case "hadamard":
      return transforms.hadamard(model);
    case "awq":
      return transforms.awq(model, { ...observed, ...layoutOf(own) });
    case "smoothquant":
      return transforms.smoothquant(model, { ...observed, ...(alpha !== undefined && { alpha }) });
  }
}

function chosenOf({ exclude, include }: TransformSettings) {
  return { ...(exclude && { exclude }), ...(include && { include }) };
}

function layoutOf({ bits, blockSize, symmetric }: TransformSettings): Partial<BlockLayout> {
  return { ...(bits && { bits }), ...(blockSize && { size: blockSize }), ...(symmetric && { symmetric }) };
}
