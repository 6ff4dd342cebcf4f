/** @file Several steps as one loop in one graph, so that parameters and state leave the runtime once per run of the loop. */
import { must, nth } from "../../checked.ts";
import {
  editGraph,
  type Graph,
  graphAttribute,
  int64s,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  tensorType,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { type TrainingStep, toldBy } from "./step.ts";
import { tensorTypeOf } from "./step-builder.ts";

/** The symbolic length of the loop. */
const STEPS = "steps";

/**
 * A model that runs a step once per slice of its inputs. What a step takes beside its state comes stacked along a new
 * first axis, all of one length; the loss, its terms, and the norm of the gradients come out as vectors, the state as it is after
 * the last step. Names are those of the step; the model's own outputs are not given.
 */
export function loopedStep(step: TrainingStep): Model {
  const { graph } = step.model;
  const scope = namesOf(step.model);
  const byName = new Map([...graph.inputs, ...graph.outputs].map((value) => [value.name, value]));
  const state = step.state.map(({ name, output }) => ({ input: must(byName, name), output: must(byName, output) }));
  const told = toldBy(step).map((name) => must(byName, name));
  const carried = new Set(state.map(({ input }) => input));
  const fed = graph.inputs.filter((value) => !carried.has(value));
  const { inner, at } = insideLoop(graph, [...state.map(({ output }) => output), ...told], scope);
  const stacked = new Map(fed.map((value) => [value, withSteps(value)]));
  const [turn, goesOn, stays] = [
    named(scope, "turn", "int64"),
    named(scope, "goes_on", "bool"),
    named(scope, "stays", "bool"),
  ];
  const body: Graph = {
    ...inner,
    name: "steps",
    inputs: [turn, goesOn, ...state.map(({ input }) => at(input))],
    outputs: [stays, ...state.map(({ output }) => at(output)), ...told.map(at)],
    nodes: [
      makeNode("Identity", [goesOn], [stays]),
      ...fed.map((value) => makeNode("Gather", [stacked.get(value), turn], [at(value)], { attributes: { axis: 0 } })),
      ...inner.nodes,
    ],
  };
  const counted = fed.find(({ name }) => name === step.step)!;
  const results = [...state.map(({ output }) => output), ...told.map(withSteps)];
  const loop = repeated(
    must(stacked, counted),
    body,
    state.map(({ input }) => input),
    results,
    scope,
  );
  return withGraph(step.model, {
    name: "training_steps",
    inputs: graph.inputs.map((value) => stacked.get(value) ?? value),
    outputs: [...told.map((_, i) => nth(results, state.length + i)), ...results.slice(0, state.length)],
    ...loop,
  });
}

/** The graph with its inputs and `ends` under other names, since those outside keep theirs. */
function insideLoop(graph: Graph, ends: readonly Value[], scope: Names) {
  const renamed = new Map<Value, Value>();
  const inner = editGraph(
    graph,
    (draft) => {
      for (const value of [...graph.inputs, ...ends]) {
        const next = draft.value(`${value.name}@turn`, value.type);
        renamed.set(value, next);
        draft.substitute(value, next);
      }
    },
    scope,
  );
  return { inner, at: (value: Value) => must(renamed, value) };
}

/** A `Loop` that turns once per element of `counted`. */
function repeated(
  counted: Value,
  body: Graph,
  state: readonly Value[],
  results: readonly Value[],
  scope: Names,
): Pick<Graph, "nodes" | "initializers"> {
  const shape = named(scope, "shape", "int64", [1]);
  const scalarShape: Value = { name: scope.fresh("scalar"), type: tensorType("int64", [0]) };
  const count = named(scope, "count", "int64");
  const nodes: Node[] = [
    makeNode("Shape", [counted], [shape]),
    makeNode("Reshape", [shape, scalarShape], [count]),
    makeNode("Loop", [count, undefined, ...state], results, {
      name: "steps",
      attributes: new Map([["body", graphAttribute(body)]]),
    }),
  ];
  return { nodes, initializers: new Map([[scalarShape, int64s([])]]) };
}

function named(scope: Names, name: string, dtype: "int64" | "bool", dims: readonly number[] = []): Value {
  return { name: scope.fresh(name), type: tensorType(dtype, dims) };
}

function withSteps(value: Value): Value {
  const { dtype, dims } = tensorTypeOf(value);
  return { name: value.name, type: tensorType(dtype, dims && [STEPS, ...dims]) };
}
