/** @file Teacher and student as one graph over the same inputs, with the values that the losses compare as outputs. */
import { atLeast, certain, nth } from "../checked.ts";
import { UnsupportedError, UsageError } from "../errors.ts";
import {
  type Dim,
  type Graph,
  type Model,
  type ModelFunction,
  makeNode,
  type Names,
  namesOf,
  opsetOf,
  type Renamed,
  renamedGraph,
  sameValueType,
  TARGET_OPSET,
  tensorType,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { answerOutput, type Carry, type Drives, type LossTerm, newBuilder, type StepBuilder } from "../train/index.ts";
import type { DistillationLoss, Memory, Pair, Remembered } from "./losses/index.ts";
import { type Projection, projection } from "./projection.ts";

export interface JointOptions {
  /** A model of the student's inputs that is not trained. */
  readonly teacher: Model;
  readonly losses: readonly DistillationLoss[];
  /** The student's value that predictions are, an output or not (the logits before a Softmax); the output that `answerOutput` finds when absent. */
  readonly output?: string;
  /** The same of the teacher; when absent, its output of the same name and number of scores, else the one that `answerOutput` finds. */
  readonly teacherOutput?: string;
  /** The teacher's values come with the samples, as `distill` with a `cache` has them, instead of from the teacher in the graph. */
  readonly answersAreFed?: boolean;
}

export interface JointModel {
  /** Its first outputs are the student's. Values and initializers of the student keep their names. */
  readonly model: Model;
  readonly terms: readonly LossTerm[];
  /** The student's prediction. */
  readonly output: string;
  /** Names of the initializers of linear layers that only serve to compare. */
  readonly projections: readonly string[];
  /** Initializers that losses with a memory keep, by the outputs that become their next values. */
  readonly carry: Carry;
  /** Inputs that the run feeds itself. */
  readonly drives: Drives;
  /** Values of the teacher that are compared, by the inputs that hold them where answers are fed. */
  readonly answers: ReadonlyMap<string, string>;
  /** Names of the teacher's nodes. */
  readonly teacherNodes: ReadonlySet<string>;
}

export const jointOptionsNames: OptionNames<JointOptions> = {
  teacher: true,
  losses: true,
  output: true,
  teacherOutput: true,
  answersAreFed: true,
};

/**
 * @throws UsageError for inputs that differ and for values that do not exist, ShapeError for values that cannot be
 * compared, UnsupportedError for models that cannot stand in one file.
 */
export function jointModel(student: Model, options: JointOptions): JointModel {
  checkOptions(options, jointOptionsNames);
  const own = inferShapes(student);
  const teacher = inferShapes(options.teacher);
  checkOpsets(own, teacher);
  const scope = namesOf(own);
  const inputs = teacherInputs(own.graph, teacher.graph);
  const other = renamedGraph(teacher.graph, "teacher/", scope, inputs);
  const find = valueFinder(own.graph, teacher.graph, other);
  const prediction = predictions(own.graph, teacher.graph, options);
  const sample = sampleInput(own.graph);
  const comparisons = options.losses.map((loss) =>
    (loss.pairs ?? [prediction]).map((pair) => compared(loss, { ...find(pair), sample }, scope)),
  );
  const all = comparisons.flat();
  const memories = all.flatMap(({ memory }) => memory?.kept ?? []);
  const pairs = options.losses.flatMap((loss) => loss.pairs ?? [prediction]);
  const answers = new Map(pairs.map((pair) => [answerInput(pair.teacher), pair.teacher]));
  const fed = () =>
    answering(
      own,
      [...answers.keys()],
      pairs.map((pair) => find(pair).teacher),
    );
  const base = options.answersAreFed ? fed() : joined(own, teacher, other.graph);
  return {
    model: remembering(exposed(base, find(prediction).student, all), sample, all),
    answers,
    terms: options.losses.map((loss, i) => termOf(loss, options.losses.slice(0, i), nth(comparisons, i))),
    output: prediction.student,
    projections: [
      ...all.flatMap(({ projection: layer }) => (layer ? [layer.parameter.name] : [])),
      ...memories.flatMap(({ parameters }) => [...parameters.keys()].map(({ name }) => name)),
    ],
    carry: Object.fromEntries(
      memories.flatMap(({ carried }) => carried.map(({ value, next }) => [value.name, next.name] as const)),
    ),
    drives: Object.fromEntries(
      memories.flatMap(({ driven }) => driven.map(({ input, drive }) => [input.name, drive] as const)),
    ),
    teacherNodes: new Set(other.graph.nodes.map(({ name }) => name)),
  };
}

function checkOpsets(student: Model, teacher: Model): void {
  for (const [who, model] of Object.entries({ student, teacher })) {
    if (opsetOf(model) === TARGET_OPSET) continue;
    throw new UsageError("distillation needs models of lithe's opset", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opsetOf(model)}`,
      where: who,
      hint: "Run the pass upgradeOpset first.",
    });
  }
}

/**
 * The teacher's inputs, each with the student's in its place: of one name, or the only one of both.
 *
 * @throws UsageError where there is none of that dtype, rank and lengths
 */
export function teacherInputs(student: Graph, teacher: Graph): Map<Value, Value> {
  const [own, others] = atLeast(
    [student, teacher].map(({ inputs, initializers }) => inputs.filter((v) => !initializers.has(v))),
    2,
  );
  const byName = new Map(own.map((value) => [value.name, value]));
  return new Map(
    others.map((value) => {
      const same = byName.get(value.name) ?? (own.length === 1 && others.length === 1 ? own[0] : undefined);
      if (same && sameKind(same, value)) return [value, same];
      throw new UsageError("teacher and student take different inputs", {
        expected: describe(value),
        got: own.map(describe).join(", ") || "no input",
        where: "the student",
        hint: "Both read the same samples: take a student whose inputs are those of the teacher, by name or as the only one, such as one that lithe prune makes.",
      });
    }),
  );
}

/** One dtype and rank; lengths that are numbers are equal. */
function sameKind({ type: a }: Value, { type: b }: Value): boolean {
  if (a?.kind !== "tensor" || b?.kind !== "tensor" || !a.dims || !b.dims) return sameValueType(a, b);
  const { dims } = b;
  const fits = a.dims.every((dim, i) => typeof dim === "string" || typeof dims[i] === "string" || dim === dims[i]);
  return a.dtype === b.dtype && a.dims.length === dims.length && fits;
}

function describe({ name, type }: Value): string {
  const dims = type?.kind === "tensor" ? `${type.dtype}[${type.dims?.join(", ") ?? "?"}]` : "?";
  return `${JSON.stringify(name)} ${dims}`;
}

/** The input of a sample that holds a value of the teacher. */
function answerInput(value: string): string {
  return `distillation/answer/${value}`;
}

/** The student, with values of the teacher made from inputs. */
function answering(student: Model, inputs: readonly string[], values: readonly Value[]): Model {
  const { graph } = student;
  const fed = [...new Set(values)].map((value, i) => ({ ...value, name: nth(inputs, i) }));
  const nodes = [...new Set(values)].map((value, i) => {
    const input = nth(fed, i);
    return makeNode("Identity", [input], [value], { name: input.name });
  });
  return withGraph(student, { ...graph, inputs: [...graph.inputs, ...fed], nodes: [...graph.nodes, ...nodes] });
}

/** The first model with the nodes of the second behind its own. */
export function joined(student: Model, teacher: Model, other: Graph): Model {
  const { graph } = student;
  return {
    ...student,
    opsets: merged(student.opsets, teacher.opsets),
    functions: mergedFunctions(student.functions, teacher.functions),
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...other.nodes],
      initializers: new Map([...graph.initializers, ...other.initializers]),
    },
  };
}

function merged(a: Model["opsets"], b: Model["opsets"]): Map<string, number> {
  const all = new Map(a);
  for (const [domain, version] of b) {
    const known = all.get(domain) ?? version;
    if (known !== version) {
      throw new UnsupportedError("teacher and student use different versions of an operator set", {
        expected: `${domain} ${known}`,
        got: `${domain} ${version}`,
      });
    }
    all.set(domain, version);
  }
  return all;
}

function mergedFunctions(a: readonly ModelFunction[], b: readonly ModelFunction[]): readonly ModelFunction[] {
  const keyOf = ({ domain, name, overload = "" }: ModelFunction) => JSON.stringify([domain, name, overload]);
  const known = new Map(a.map((item) => [keyOf(item), item]));
  for (const item of b) {
    const same = known.get(keyOf(item));
    if (same && same !== item) {
      throw new UnsupportedError("teacher and student have different functions of one name", { got: item.name });
    }
  }
  return [...a, ...b.filter((item) => !known.has(keyOf(item)))];
}

function predictions(student: Graph, teacher: Graph, { output, teacherOutput }: JointOptions): Pair {
  const own = output ?? answerOutput(student).name;
  const scores = widthOf([...valuesOf(student)].find(({ name }) => name === own));
  const same = teacher.outputs.find((value) => value.name === own && widthOf(value) === scores);
  return { student: own, teacher: teacherOutput ?? (same ?? answerOutput(teacher)).name };
}

function widthOf(value: Value | undefined): Dim | undefined {
  return value?.type?.kind === "tensor" ? value.type.dims?.at(-1) : undefined;
}

interface Comparison {
  readonly teacher: Value;
  readonly student: Value;
  readonly projection: Projection | undefined;
  readonly memory: { readonly g: StepBuilder; readonly kept: Memory } | undefined;
}

type Compared = Pick<Comparison, "teacher" | "student">;

/** Values by the names that they have in their own models. */
function valueFinder(student: Graph, teacher: Graph, { values }: Renamed): (pair: Pair) => Compared {
  const own = new Map([...valuesOf(student)].map((value) => [value.name, value]));
  const others = new Map([...valuesOf(teacher)].map((value) => [value.name, values.get(value)]));
  return (pair) => {
    const [a, b] = [others.get(pair.teacher), own.get(pair.student)];
    if (a && b) return { teacher: a, student: b };
    throw new UsageError("there is no such value to compare", {
      got: JSON.stringify(a ? pair.student : pair.teacher),
      where: a ? "student" : "teacher",
    });
  };
}

function compared(loss: DistillationLoss, pair: Remembered, scope: Names): Comparison {
  const { teacher, student } = pair;
  const g = loss.remember && newBuilder(scope, `${loss.name}/`);
  return {
    teacher,
    student,
    projection: loss.projects ? projection(student, teacher, scope) : undefined,
    memory: g && { g, kept: certain(loss.remember?.(g, pair, scope)) },
  };
}

/** The input under which data says which samples it hands out. */
export const SAMPLE = "distillation/sample";

/** int64 [batch], with the batch of the student. */
function sampleInput({ inputs, initializers }: Graph): Value {
  const [first] = inputs.filter((value) => !initializers.has(value));
  const batch = first?.type?.kind === "tensor" ? first.type.dims?.[0] : undefined;
  return { name: SAMPLE, type: tensorType("int64", [batch ?? "batch"]) };
}

/** The model with what losses keep: initializers, the inputs that they read, and their next values as outputs. */
function remembering(model: Model, sample: Value, all: readonly Comparison[]): Model {
  const memories = all.flatMap(({ memory }) => memory ?? []);
  if (memories.length === 0) return model;
  const { graph } = model;
  const kept = memories.map((memory) => memory.kept);
  const carried = kept.flatMap((each) => each.carried);
  return withGraph(model, {
    ...graph,
    inputs: [
      ...graph.inputs,
      ...new Set(kept.flatMap(({ fed = [sample], driven }) => [...fed, ...driven.map(({ input }) => input)])),
    ],
    outputs: [...graph.outputs, ...kept.map(({ value }) => value), ...carried.map(({ next }) => next)],
    nodes: [...graph.nodes, ...memories.flatMap(({ g }) => g.raw.nodes)],
    initializers: new Map([
      ...graph.initializers,
      ...memories.flatMap(({ g }) => [...g.raw.initializers]),
      ...kept.flatMap(({ parameters }) => [...parameters]),
      ...carried.map(({ value, initial }) => [value, initial] as const),
    ]),
  });
}

/** The model with the prediction and everything that is compared among its outputs. */
function exposed(model: Model, prediction: Value, all: readonly Comparison[]): Model {
  const { graph } = model;
  const layers = all.flatMap(({ projection: layer }) => layer ?? []);
  const seen = [...all.flatMap(({ teacher, student }) => [teacher, student]), ...layers.map(({ output }) => output)];
  return withGraph(model, {
    ...graph,
    outputs: [...new Set([...graph.outputs, prediction, ...seen])],
    nodes: [...graph.nodes, ...layers.map(({ node }) => node)],
    initializers: new Map([
      ...graph.initializers,
      ...layers.map(({ parameter, initial }) => [parameter, initial] as const),
    ]),
  });
}

function termOf(loss: DistillationLoss, before: readonly DistillationLoss[], all: readonly Comparison[]): LossTerm {
  const same = before.filter(({ name }) => name === loss.name).length;
  return {
    name: same === 0 ? loss.name : `${loss.name}${same + 1}`,
    ...(loss.weight !== undefined && { weight: loss.weight }),
    build(g, { output, labels }) {
      const parts = all.map(({ teacher, student, projection: layer, memory }) => {
        const value = memory?.kept.value ?? layer?.output ?? student;
        return loss.build(g, output(teacher.name), output(value.name), { labels });
      });
      const sum = parts.reduce((total, part) => g.add(total, part));
      return parts.length === 1 ? sum : g.div(sum, parts.length);
    },
  };
}
