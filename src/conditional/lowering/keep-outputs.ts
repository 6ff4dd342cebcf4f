/** @file A model with some of its outputs. */
import { type Model, type Value, withGraph } from "../../ir/index.ts";
import { eliminateDeadNodes } from "../../passes/index.ts";

/** The model with these outputs alone, in this order, and without what only others needed. */
export async function keepOutputs(model: Model, outputs: readonly Value[]): Promise<Model> {
  return (await eliminateDeadNodes().run(withGraph(model, { ...model.graph, outputs }))).model;
}
