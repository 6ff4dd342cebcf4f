/** @file Teacher and student as one graph over the same inputs, with the values that the losses compare as outputs. */
import { atLeast, nth } from "../checked.ts";
import { UnsupportedError, UsageError } from "../errors.ts";
import {
  type Dim,
  type Graph,
  type Model,
  type ModelFunction,
  type Names,
  namesOf,
  opsetOf,
  type Renamed,
  renamedGraph,
  sameValueType,
  TARGET_OPSET,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { answerOutput, type LossTerm } from "../train/index.ts";
import type { DistillationLoss, Pair } from "./losses/index.ts";
import { type Projection, projection } from "./projection.ts";

export interface JointOptions {
  /** A model of the student's inputs that is not trained. */
  readonly teacher: Model;
  readonly losses: readonly DistillationLoss[];
  /** The student's value that predictions are, an output or not (the logits before a Softmax); the output that `answerOutput` finds when absent. */
  readonly output?: string;
  /** The same of the teacher; when absent, its output of the same name and number of scores, else the one that `answerOutput` finds. */
  readonly teacherOutput?: string;
}

export interface JointModel {
  /** Its first outputs are the student's. Values and initializers of the student keep their names. */
  readonly model: Model;
  readonly terms: readonly LossTerm[];
  /** The student's prediction. */
  readonly output: string;
  /** Names of the initializers of linear layers that only serve to compare. */
  readonly projections: readonly string[];
  /** Names of the teacher's nodes. */
  readonly teacherNodes: ReadonlySet<string>;
}

export const jointOptionsNames: OptionNames<JointOptions> = {
  teacher: true,
  losses: true,
  output: true,
  teacherOutput: true,
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
  const inputs = sharedInputs(own.graph, teacher.graph);
  const other = renamedGraph(teacher.graph, "teacher/", scope, inputs);
  const find = valueFinder(own.graph, teacher.graph, other);
  const prediction = predictions(own.graph, teacher.graph, options);
  const comparisons = options.losses.map((loss) =>
    (loss.pairs ?? [prediction]).map((pair) => compared(loss, find(pair), scope)),
  );
  const all = comparisons.flat();
  return {
    model: exposed(joined(own, teacher, other.graph), find(prediction).student, all),
    terms: options.losses.map((loss, i) => termOf(loss, options.losses.slice(0, i), nth(comparisons, i))),
    output: prediction.student,
    projections: all.flatMap(({ projection: layer }) => (layer ? [layer.parameter.name] : [])),
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

/** The teacher's inputs, each with the student's in its place: of one name, or the only one of both. */
function sharedInputs(student: Graph, teacher: Graph): Map<Value, Value> {
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

function joined(student: Model, teacher: Model, other: Graph): Model {
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

function compared(loss: DistillationLoss, { teacher, student }: Compared, scope: Names): Comparison {
  return { teacher, student, projection: loss.projects ? projection(student, teacher, scope) : undefined };
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
      const parts = all.map(({ teacher, student, projection: layer }) =>
        loss.build(g, output(teacher.name), output((layer?.output ?? student).name), { labels }),
      );
      const sum = parts.reduce((total, part) => g.add(total, part));
      return parts.length === 1 ? sum : g.div(sum, parts.length);
    },
  };
}
