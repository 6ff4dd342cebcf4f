/** @file Types of values by the runtime's own inference. */
import { RuntimeError } from "../errors.ts";
import { type Model, type TensorType, tensorType, type Value } from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import { isFetchable, type OpenSession, type SessionOptions, sessionOptionNames } from "../runtime/index.ts";
import { withOutputs } from "./capture.ts";

/**
 * Asks the runtime for the types of every tensor in the main graph, operators unknown to lithe included, without running
 * it. Unknown dims are `""`, unknown ranks have no dims. Values that the runtime refuses as outputs are left out.
 *
 * @throws RuntimeError when the runtime cannot load the model at all
 */
export async function inspectTypes(
  model: Model,
  open: OpenSession,
  options: SessionOptions = {},
): Promise<Map<string, TensorType>> {
  checkOptions(options, sessionOptionNames);
  const names = candidates(model);
  const types = new Map<string, TensorType>();
  await collect(model, names, open, { optimization: "basic", ...options }, types);
  return types;
}

async function collect(
  model: Model,
  names: readonly string[],
  open: OpenSession,
  options: SessionOptions,
  types: Map<string, TensorType>,
): Promise<void> {
  try {
    await using session = await open(withOutputs(model, names), { step: "inferring types", ...options });
    for (const { name, dtype, dims } of [...session.inputs, ...session.outputs]) {
      if (dtype) types.set(name, tensorType(dtype, dims));
    }
  } catch (error) {
    if (!(error instanceof RuntimeError) || names.length === 0) throw error;
    // One value of a type that cannot pass a port fails the whole session: halve until it stands alone.
    if (names.length === 1) return collect(model, [], open, options, types);
    const half = names.length >> 1;
    await collect(model, names.slice(0, half), open, options, types);
    await collect(model, names.slice(half), open, options, types);
  }
}

function candidates(model: Model): string[] {
  const outputs = model.graph.nodes.flatMap((node) => node.outputs.filter((value) => value !== undefined));
  return outputs.filter(isCandidate).map(({ name }) => name);
}

function isCandidate({ name, type }: Value): boolean {
  return name !== "" && (type === undefined || (type.kind === "tensor" && isFetchable(type.dtype)));
}
