/** @file The form table of gradients: what each form of a convolution's gradient takes on one machine, measured. */
import type { ConvGeometry, Forms, InputForm, WeightForm } from "../../autodiff/index.ts";
import type { ExecutionProvider } from "../../runtime/index.ts";
import { profileFor, profileOf } from "../step/profiles.ts";

/** Whose gradient: that of the convolution's input, or of its weight. */
export type ConvSide = "input" | "weight";

/** What the forms take for one geometry. */
export interface FormRow {
  readonly side: ConvSide;
  /** The batch is the table's. */
  readonly geometry: Omit<ConvGeometry, "batch">;
  /** Milliseconds by form, medians of a race in turns. */
  readonly times: Readonly<Partial<Record<InputForm | WeightForm, number>>>;
}

/** Plain data, for a file. */
export interface GradientFormTable {
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly batch: number;
  readonly rows: readonly FormRow[];
}

/** Forms by a measured table: the fastest where the table has the geometry, else what `base` says, which is what the provider of the table needs. */
export function measuredForms({ ep, rows }: GradientFormTable, base: Forms = profileOf(profileFor(ep)).forms): Forms {
  const orders = new Map(rows.map((row) => [keyOf(row.side, row.geometry), fastestFirst(row)]));
  const order = <T>(side: ConvSide, geometry: ConvGeometry): readonly T[] | undefined =>
    orders.get(keyOf(side, geometry)) as readonly T[] | undefined;
  return {
    ...base,
    conv: {
      input: (geometry) => order<InputForm>("input", geometry) ?? base.conv.input(geometry),
      weight: (geometry) => order<WeightForm>("weight", geometry) ?? base.conv.weight(geometry),
    },
  };
}

function fastestFirst({ times }: FormRow): string[] {
  const entries = Object.entries(times) as [string, number][];
  return entries.sort(([, a], [, b]) => a - b).map(([form]) => form);
}

/** Names one question; the batch, which may be symbolic in a step graph, is no part of it. */
export function keyOf(side: ConvSide, geometry: Omit<ConvGeometry, "batch">): string {
  const { group, inputs, outputs, kernel, strides, dilations, begin, end, from, to } = geometry;
  return JSON.stringify([side, group, inputs, outputs, kernel, strides, dilations, begin, end, from, to]);
}
