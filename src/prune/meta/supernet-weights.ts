/** @file The weights that a trained supernet has for a choice, computed outside of its graph. */
import { must, nth } from "../../checked.ts";
import { isSparse, type Model, type Tensor, takePositions, type Value } from "../../ir/index.ts";
import { type GeneratorParts, generatedTensor } from "../../nn/index.ts";
import { withParameters } from "../../train/index.ts";
import type { Choice } from "./supernet.ts";
import { type Places, shareOf } from "./width-places.ts";

/** Where the weights of an initializer of the original come from; names are those of initializers of the supernet. */
export type WeightSource =
  | {
      readonly kind: "generated";
      readonly value: Value;
      readonly dims: readonly number[];
      readonly parameters: GeneratorParts<string>;
      /** The axes that the layer sums over and that it makes; the same where it sums over none, as a depthwise one. */
      readonly reads: Places | undefined;
      readonly makes: Places | undefined;
    }
  /** One row for each count of a width. */
  | { readonly kind: "rows"; readonly value: Value; readonly table: string; readonly width: number }
  | { readonly kind: "shared"; readonly value: Value; readonly vector: string };

/** The original with the weights of a trained supernet, at full width: what a choice cuts is still to be cut. */
export function weightsFor(
  base: Model,
  sources: readonly WeightSource[],
  trained: Model,
): (choice: Choice, counts: readonly number[]) => Model {
  const tensors = new Map(
    [...trained.graph.initializers].flatMap(([{ name }, data]): [string, Tensor][] =>
      isSparse(data) ? [] : [[name, data]],
    ),
  );
  return (choice, counts) => {
    const made = sources.map((source): [string, Tensor] => [
      source.value.name,
      madeOf(source, tensors, choice, counts),
    ]);
    return withParameters(base, new Map([...tensors, ...made]));
  };
}

function madeOf(
  source: WeightSource,
  tensors: ReadonlyMap<string, Tensor>,
  choice: Choice,
  counts: readonly number[],
): Tensor {
  if (source.kind === "shared") return must(tensors, source.vector);
  if (source.kind === "rows") {
    const row = takePositions(must(tensors, source.table), [[nth(choice, source.width)]]);
    return { ...row, dims: row.dims.slice(1) };
  }
  const { first, firstBias, second, secondBias } = source.parameters;
  const parts = {
    first: must(tensors, first),
    firstBias: must(tensors, firstBias),
    second: must(tensors, second),
    secondBias: must(tensors, secondBias),
  };
  return generatedTensor(parts, [shareOf(source.reads, counts), shareOf(source.makes, counts)], source.dims);
}
