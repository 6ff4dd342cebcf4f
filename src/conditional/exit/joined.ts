/** @file Two classifiers over the same inputs as one network with an exit: the answer of the small one. */
import { nth } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import {
  fedInputs,
  forgetTypes,
  formatType,
  type Graph,
  type Model,
  makeNode,
  namesOf,
  renamedGraph,
  type Value,
} from "../../ir/index.ts";
import { dimsOf } from "../../nn/index.ts";
import { agreeInDims, inferShapes } from "../../ops/index.ts";
import type { ExitModel } from "./add-exits.ts";
import { type ScoresModel, withoutSoftmax } from "./scores-model.ts";
import { named } from "./staged-model.ts";

/** Before the names of the small network's values. */
const SMALL = "small/";
const EXIT = "exit/0";

/**
 * The first output is the scores of the big network, the exit those of the small one. Neither reads what the other makes.
 *
 * @throws UsageError for networks of other inputs or classes
 */
export async function joinedClassifiers(small: Model, big: Model): Promise<ExitModel> {
  const [first, second] = [await withoutSoftmax(small), await withoutSoftmax(big)];
  checkClasses(first, second);
  const { graph } = second.model;
  const scope = namesOf(second.model);
  const inputs = sameInputs(first.model.graph, graph);
  const renamed = renamedGraph(first.model.graph, SMALL, scope, inputs);
  const exit: Value = { ...nth(renamed.graph.outputs, 0), name: scope.fresh(EXIT) };
  const copy = makeNode("Identity", [nth(renamed.graph.outputs, 0)], [exit], { name: exit.name });
  const model: Model = {
    ...second.model,
    opsets: new Map([...first.model.opsets, ...second.model.opsets]),
    functions: bothFunctions(first.model, second.model),
    graph: {
      ...graph,
      nodes: [...renamed.graph.nodes, copy, ...graph.nodes],
      outputs: [named(graph, second.scores), exit],
      initializers: new Map([...renamed.graph.initializers, ...graph.initializers]),
    },
  };
  return { model: inferShapes(forgetTypes(model)), exits: [exit.name], at: [first.scores] };
}

function bothFunctions(small: Model, big: Model): Model["functions"] {
  const keyOf = ({ domain, name }: Model["functions"][number]) => `${domain}::${name}`;
  const known = new Set(big.functions.map(keyOf));
  const clash = small.functions.find((each) => known.has(keyOf(each)));
  if (!clash) return [...big.functions, ...small.functions];
  throw new UnsupportedError("both networks define a function of one name", { got: keyOf(clash) });
}

function checkClasses(small: ScoresModel, big: ScoresModel): void {
  const [few, all] = [small, big].map(({ model }) => nth(model.graph.outputs, 0));
  if (few && all && dimsOf(few)[1] === dimsOf(all)[1]) return;
  throw new UsageError("the networks of a cascade answer with the same classes", {
    expected: formatType(all?.type),
    got: formatType(few?.type),
    where: "the small network",
  });
}

/** The big network's input for each of the small one's: of one name, or the only one of both. */
function sameInputs(small: Graph, big: Graph): Map<Value, Value> {
  const [own, given] = [fedInputs(small), fedInputs(big)];
  const isOnly = own.length === 1 && given.length === 1;
  return new Map(
    own.map((value) => {
      const same = given.find(({ name }) => name === value.name) ?? (isOnly ? given[0] : undefined);
      if (same && isSameKind(value, same)) return [value, same];
      throw new UsageError("the networks of a cascade read the same inputs", {
        expected: given.map(({ name, type }) => `${name} ${formatType(type)}`).join(", "),
        got: `${value.name} ${formatType(value.type)}`,
        where: "the small network",
      });
    }),
  );
}

function isSameKind(a: Value, b: Value): boolean {
  const isTensor = a.type?.kind === "tensor" && b.type?.kind === "tensor" && a.type.dtype === b.type.dtype;
  return isTensor && agreeInDims(dimsOf(a).slice(1), dimsOf(b).slice(1));
}
