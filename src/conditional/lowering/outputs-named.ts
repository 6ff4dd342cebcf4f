/** @file Outputs that layers announce under the same last part of a name. */
import type { Model } from "../../ir/index.ts";

/** Names of the model's outputs that are `last`, or end with `/` and it. */
export function outputsNamed({ graph }: Model, last: string): string[] {
  return graph.outputs.map(({ name }) => name).filter((name) => name === last || name.endsWith(`/${last}`));
}
