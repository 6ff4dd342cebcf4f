/** @file Where two models' values begin to differ. */
import { DataError } from "../errors.ts";
import { describeNode, type Model, type Node, type Value } from "../ir/index.ts";
import { distance, type OutputAgreement } from "./agreement.ts";
import { type CaptureOptions, captureValues } from "./capture.ts";
import { isFetchable } from "./rules.ts";
import type { Feeds, OpenSession } from "./session.ts";

/** The distance of one value, with the node of the first model that makes it. */
export interface ValueDivergence extends OutputAgreement {
  readonly node: string;
}

export interface Divergence {
  /** The first value, in the first model's order, whose relative error passes the tolerance. */
  readonly first: ValueDivergence | undefined;
  /** All values that both models compute under one name, in the first model's order. */
  readonly values: readonly ValueDivergence[];
}

export interface DivergenceOptions extends CaptureOptions {
  /** ‖a − b‖ / ‖a‖ from which a value counts as different; default 1e-3. */
  readonly tolerance?: number;
}

/** Values that one pass over the batches compares. */
const AT_ONCE = 32;

/** Runs both models with their common values as outputs; `batches` is read several times and must start anew each time. */
export async function findDivergence(
  a: Model,
  b: Model,
  batches: Iterable<Feeds> | AsyncIterable<Feeds>,
  open: OpenSession,
  { tolerance = 1e-3, ...options }: DivergenceOptions = {},
): Promise<Divergence> {
  const makers = commonValues(a, b);
  const names = [...makers.keys()];
  if (names.length === 0) throw new DataError("two models compute no value of one name");
  const values: ValueDivergence[] = [];
  for (let start = 0; start < names.length; start += AT_ONCE) {
    const some = names.slice(start, start + AT_ONCE);
    for (const found of await distancesOf(a, b, some, batches, open, options)) {
      values.push({ ...found, node: describeNode(makers.get(found.name)!) });
    }
  }
  return { first: values.find(({ relative }) => relative > tolerance), values };
}

async function distancesOf(
  a: Model,
  b: Model,
  names: readonly string[],
  batches: Iterable<Feeds> | AsyncIterable<Feeds>,
  open: OpenSession,
  options: CaptureOptions,
): Promise<OutputAgreement[]> {
  const distances = names.map(distance);
  const whole = { ...options, memory: Number.POSITIVE_INFINITY };
  const others = captureValues(b, names, batches, open, whole);
  for await (const { values } of captureValues(a, names, batches, open, whole)) {
    const { value: other } = await others.next();
    if (!other)
      throw new DataError("the batches must be read more than once", { expected: "an iterable that starts anew" });
    for (const [i, name] of names.entries()) distances[i]!.add(values.get(name)!, other.values.get(name)!);
  }
  await others.return(undefined);
  return distances.map((found) => found.result());
}

/** Values that nodes of both main graphs make under one name, with the first model's node, in its order. */
function commonValues(a: Model, b: Model): Map<string, Node> {
  const others = new Set(b.graph.nodes.flatMap(({ outputs }) => outputs.filter(isCapturable).map(({ name }) => name)));
  const makers = new Map<string, Node>();
  for (const node of a.graph.nodes) {
    for (const output of node.outputs)
      if (isCapturable(output) && others.has(output.name)) makers.set(output.name, node);
  }
  return makers;
}

function isCapturable(value: Value | undefined): value is Value {
  if (!value || value.name === "") return false;
  return value.type === undefined || (value.type.kind === "tensor" && isFetchable(value.type.dtype));
}
