/** @file The output that a loss, a metric or a new head is about. */
import { UsageError } from "../errors.ts";
import type { Graph, Value } from "../ir/index.ts";

/** The output of this name, or the first. */
export function outputOf({ outputs }: Graph, name: string | undefined): Value {
  const found = name === undefined ? outputs[0] : outputs.find((value) => value.name === name);
  if (found) return found;
  throw new UsageError("the model has no such output", {
    expected: outputs.map((value) => JSON.stringify(value.name)).join(", ") || "an output",
    got: JSON.stringify(name),
  });
}
