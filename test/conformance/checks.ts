/** @file The checks that every conformance case goes through, and what they cost nothing to share. */
import { readFileSync } from "node:fs";
import {
  formatType,
  type Graph,
  type Model,
  mapSubgraphs,
  tensorType,
  type Value,
  type ValueType,
  verify,
} from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import type { FileValue } from "../../src/onnx/tensor-file.ts";
import { inferModel } from "../../src/ops/index.ts";
import { type Case, expectationsOf, feedsOf } from "./cases.ts";
import { referenceProblem } from "./reference.ts";
import { type RuntimeProcess, shortened } from "./runtime.ts";

export const checkNames = ["decode", "verify", "round-trip", "shapes", "runtime", "reference"] as const;
export type CheckName = (typeof checkNames)[number];

/** Why each check failed; a check that passed is absent. */
export type Failures = ReadonlyMap<CheckName, string>;

interface Subject {
  readonly test: Case;
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly runtime: RuntimeProcess;
}

type Check = (subject: Subject) => string | undefined | Promise<string | undefined>;

const checks = {
  verify({ model }) {
    const [first] = verify(model);
    return first && `${first.rule}: ${first.message}`;
  },
  "round-trip"({ model }) {
    const once = encodeModel(model);
    return Buffer.compare(once, encodeModel(decodeModel(once))) === 0 ? undefined : "the second encoding differs";
  },
  shapes: ({ test, model }) => shapeProblem(test, model),
  runtime: ({ test, model, runtime }) => runtime.problem(test, decodeModel(encodeModel(model))),
  reference: ({ test, model }) => referenceProblem(test, model),
} satisfies Record<Exclude<CheckName, "decode">, Check>;

/** Runs the checks that `wanted` asks for, each on its own: a failure of one does not keep the others from running. */
export async function failuresOf(
  test: Case,
  runtime: RuntimeProcess,
  wanted: (check: CheckName) => boolean,
): Promise<Failures> {
  const failures = new Map<CheckName, string>();
  const bytes = readFileSync(test.model);
  const model = attempt(() => decodeModel(bytes));
  if ("problem" in model) return new Map(checkNames.map((name) => [name, model.problem]));
  for (const [name, check] of Object.entries(checks) as [Exclude<CheckName, "decode">, Check][]) {
    if (!wanted(name)) continue;
    const problem = await problemOf(() => check({ test, bytes, model: model.value, runtime }));
    if (problem !== undefined) failures.set(name, shortened(problem));
  }
  return failures;
}

async function problemOf(check: () => ReturnType<Check>): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function attempt<T>(work: () => T): { value: T } | { problem: string } {
  try {
    return { value: work() };
  } catch (error) {
    return { problem: shortened(String(error)) };
  }
}

/**
 * The inferred output types must be those of the expected outputs. Nothing is declared after the inputs; the fed
 * tensors are constants, so that dims which depend on them (axes, sizes) can be known.
 */
function shapeProblem(test: Case, model: Model): string | undefined {
  const bare = withConstants(withoutDeclared(model), feedsOf(test, model));
  const { types, problems } = inferModel(bare);
  const [problem] = problems;
  if (problem) return `${problem.where}: ${problem.message}`;
  const expected = expectationsOf(test, model);
  for (const output of bare.graph.outputs) {
    const value = expected.get(output.name);
    const inferred = types.get(output);
    if (value && !describes(inferred, value))
      return `${output.name} is ${formatType(inferred)}, not ${typeText(value)}`;
  }
  return undefined;
}

function describes(type: ValueType | undefined, value: FileValue): boolean {
  if ("dtype" in value) {
    const tensor = type?.kind === "optional" ? type.element : type;
    return formatType(tensor) === formatType(tensorType(value.dtype, value.dims));
  }
  if ("empty" in value) return type?.kind === "optional";
  return type?.kind === "sequence" || (type?.kind === "optional" && type.element?.kind === "sequence");
}

function typeText(value: FileValue): string {
  if ("dtype" in value) return formatType(tensorType(value.dtype, value.dims));
  return "items" in value ? "a sequence" : "an optional";
}

function withConstants(model: Model, feeds: ReadonlyMap<string, FileValue>): Model {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  for (const input of graph.inputs) {
    const fed = feeds.get(input.name);
    if (fed && "dtype" in fed) initializers.set(input, fed);
  }
  return {
    ...model,
    graph: { ...graph, inputs: graph.inputs.filter((input) => !initializers.has(input)), initializers },
  };
}

/** The model with no type on anything that its nodes compute. */
function withoutDeclared(model: Model): Model {
  const inputs = new Set(model.graph.inputs);
  const bare = new Map<Value, Value>();
  const strip = (value: Value): Value => {
    if (inputs.has(value)) return value;
    const known = bare.get(value) ?? { name: value.name };
    bare.set(value, known);
    return known;
  };
  return { ...model, graph: stripped(model.graph, strip) };
}

function stripped(graph: Graph, strip: (value: Value) => Value): Graph {
  const inner = mapSubgraphs(graph, (subgraph) => stripped(subgraph, strip));
  return {
    ...inner,
    outputs: inner.outputs.map(strip),
    nodes: inner.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((value) => value && strip(value)),
      outputs: node.outputs.map((value) => value && strip(value)),
    })),
    initializers: new Map([...inner.initializers].map(([value, data]) => [strip(value), data])),
  };
}
