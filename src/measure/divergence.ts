/** @file Where two models' values begin to differ. */
import { must, nth } from "../checked.ts";
import { DataError } from "../errors.ts";
import { describeNode, type Model, type Node, type Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Feeds, isFetchable, type OpenSession, sessionOptionNames } from "../runtime/index.ts";
import { type CaptureOptions, captureValues } from "./capture.ts";
import { distance, type OutputAgreement } from "./distance.ts";

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

const divergenceOptionsNames: OptionNames<DivergenceOptions> = {
  tolerance: true,
  memory: true,
  signal: true,
  ...sessionOptionNames,
};

/** Runs both models with their common values as outputs; `batches` is read several times and must start anew each time. */
export async function findDivergence(
  a: Model,
  b: Model,
  batches: Iterable<Feeds> | AsyncIterable<Feeds>,
  open: OpenSession,
  given: DivergenceOptions = {},
): Promise<Divergence> {
  const { tolerance = 1e-3, ...options } = checkOptions(given, divergenceOptionsNames);
  const common = commonValues(a, b);
  if (common.length === 0) throw new DataError("two models compute no value of one name");
  const values: ValueDivergence[] = [];
  for (let start = 0; start < common.length; start += AT_ONCE) {
    const some = common.slice(start, start + AT_ONCE);
    const found = await distancesOf(a, b, some, batches, open, options);
    for (const item of found.map((entry, i) => ({ ...entry, node: describeNode(nth(some, i).node) })))
      values.push(item);
  }
  const first = values.find(({ relative, notFinite }) => relative > tolerance || notFinite.onlyA > 0);
  return { first, values };
}

/** One value in both models. */
interface Common {
  readonly node: Node;
  readonly nameA: string;
  readonly nameB: string;
}

async function distancesOf(
  a: Model,
  b: Model,
  common: readonly Common[],
  batches: Iterable<Feeds> | AsyncIterable<Feeds>,
  open: OpenSession,
  options: CaptureOptions,
): Promise<OutputAgreement[]> {
  const distances = common.map(({ nameA }) => distance(nameA));
  const [namesA, namesB] = [common.map(({ nameA }) => nameA), common.map(({ nameB }) => nameB)];
  const whole = { ...options, memory: Number.POSITIVE_INFINITY };
  const others = captureValues(b, namesB, batches, open, whole);
  for await (const { values } of captureValues(a, namesA, batches, open, whole)) {
    const { value: other } = await others.next();
    if (!other)
      throw new DataError("the batches must be read more than once", { expected: "an iterable that starts anew" });
    for (const [i, { nameA, nameB }] of common.entries()) {
      nth(distances, i).add(must(values, nameA), other.values.get(nameB)!);
    }
  }
  await others.return(undefined);
  return distances.map((found) => found.result());
}

/** What a quantizer calls the float version of a value that it rounds, as ONNX Runtime's loss debugger expects it. */
const DEQUANTIZED = "_DequantizeLinear_Output";

/**
 * Values that nodes of both main graphs make, with the first model's node, in its order. A value that the second model rounds to
 * integers is compared after the rounding: before it, a clamp that the rounding does is missing.
 */
function commonValues(a: Model, b: Model): Common[] {
  const others = new Set(b.graph.nodes.flatMap(({ outputs }) => outputs.filter(isCapturable).map(({ name }) => name)));
  return a.graph.nodes.flatMap((node) =>
    node.outputs.filter(isCapturable).flatMap(({ name }): Common[] => {
      const nameB = [`${name}${DEQUANTIZED}`, name].find((candidate) => others.has(candidate));
      return nameB === undefined ? [] : [{ node, nameA: name, nameB }];
    }),
  );
}

function isCapturable(value: Value | undefined): value is Value {
  if (!value || value.name === "") return false;
  return value.type === undefined || (value.type.kind === "tensor" && isFetchable(value.type.dtype));
}
