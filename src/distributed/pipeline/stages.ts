/** @file The stages of a network as graphs: forward, and from cotangents of what it hands on to gradients. */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  dataTypes,
  formatType,
  graphBuilder,
  type Model,
  makeNode,
  modelOfNodes,
  type Names,
  type Node,
  namesOf,
  TARGET_OPSET,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type SplitStep, splitStep, type TrainingStepOptions } from "../../train/index.ts";
import { balancedStages, type NodeRow, rowOf, type StageRange } from "./cut-model.ts";

/** A tensor that goes from a stage to the next, and its gradient back. */
export interface Carried {
  /** In the model. */
  readonly name: string;
  /** What it is in the graphs of this stage: an input where it is taken over, an output where it is handed on. */
  readonly input: string;
  /** Whether a cotangent comes back: it is a float. */
  readonly hasGradient: boolean;
  /** Where the stage that hands it on takes its cotangent. */
  readonly cotangent?: string;
}

export interface PipelineStage {
  /** From 0. */
  readonly stage: number;
  readonly stages: number;
  /** From what it takes over, and its parameters, to what it hands on; absent for the last stage, whose loss is in `step`. */
  readonly forward?: Model;
  /** Gradients of the stage's own parameters and of what it takes over, and its update. The forward pass is computed again in it. */
  readonly step: SplitStep;
  /** What it takes over, and what it hands on. */
  readonly receives: readonly Carried[];
  readonly sends: readonly Carried[];
  /** Parameters that other stages read too, with the stages that do: their gradients are added up. */
  readonly shared: readonly { readonly name: string; readonly stages: readonly number[] }[];
}

export interface PipelineOptions
  extends Pick<TrainingStepOptions, "loss" | "terms" | "output" | "optimizer" | "batchNorm" | "dropout" | "profile"> {
  /** As many as ranks. */
  readonly stages: number;
}

const pipelineOptionsNames: OptionNames<PipelineOptions> = {
  loss: true,
  terms: true,
  output: true,
  optimizer: true,
  batchNorm: true,
  dropout: true,
  profile: true,
  stages: true,
};

/**
 * Cuts a network into stages one behind the other whose work is balanced, and differentiates each by itself: a stage's gradients are those of
 * Σ ⟨what it hands on, its cotangent⟩. What a later stage reads, such as a skip connection, is handed through those between.
 *
 * @throws UsageError for more stages than the model has nodes with weights; UnsupportedError for statistics of batches (set `batchNorm: "frozen"`), which
 * would be those of micro-batches, and for dropout (set `dropout: "off"`), whose masks a stage computed again would not know
 */
export function pipelineStages(model: Model, options: PipelineOptions): PipelineStage[] {
  const { stages, ...training } = checkOptions(options, pipelineOptionsNames);
  const row = rowOf(model);
  const ranges = balancedStages(row, stages);
  const scope = namesOf(row.model);
  const made = ranges.map((range, stage) => stageOf(row, range, { stage, stages, training, scope }));
  return made.map((stage) => ({ ...stage, shared: sharedBy(made, stage) }));
}

interface StageContext {
  readonly stage: number;
  readonly stages: number;
  readonly training: Omit<PipelineOptions, "stages">;
  readonly scope: Names;
}

function stageOf(row: NodeRow, range: StageRange, context: StageContext): Omit<PipelineStage, "shared"> {
  const { stage, stages, training, scope } = context;
  const [taken, given] = [nth(row.crossing, range.first), nth(row.crossing, range.end)];
  const isLast = stage === stages - 1;
  const through = new Map(taken.filter((value) => given.includes(value)).map((value) => [value, passed(value, scope)]));
  const nodes = [
    ...[...through].map(([value, input]) => identity(input, value)),
    ...row.nodes.slice(range.first, range.end),
  ];
  const inputOf = (value: Value): string => (through.get(value) ?? value).name;
  const receives = taken.map((value) => ({
    name: value.name,
    input: inputOf(value),
    hasGradient: isDifferentiable(value),
  }));
  if (isLast) {
    const whole = modelOfNodes(row.model, nodes, row.model.graph.outputs);
    const step = splitStep(whole, training, { inputs: gradientInputs(taken, inputOf) });
    return { stage, stages, step: checkStep(step), receives, sends: [] };
  }
  const { model, cotangents } = contracted(row.model, nodes, given, scope);
  const { optimizer, batchNorm, dropout, profile } = training;
  const kept = { optimizer, ...(batchNorm && { batchNorm }), ...(dropout && { dropout }), ...(profile && { profile }) };
  const term = { name: "handed on", build: (g, { prediction }) => g.op("Identity", [prediction]) } satisfies Term;
  const step = splitStep(model, { ...kept, terms: [term] }, { inputs: gradientInputs(taken, inputOf) });
  const sends = given.map((value) => {
    const cotangent = cotangents.get(value)?.name;
    const hasGradient = cotangent !== undefined;
    return { name: value.name, input: value.name, hasGradient, ...(hasGradient && { cotangent }) };
  });
  const forward = fedWith(modelOfNodes(row.model, nodes, given), step.gradients.parameters);
  return { stage, stages, forward, step: checkStep(step), receives, sends };
}

type Term = NonNullable<TrainingStepOptions["terms"]>[number];

function passed({ name, type }: Value, scope: Names): Value {
  return { name: scope.fresh(`${name}:received`), ...(type && { type }) };
}

function identity(from: Value, to: Value): Node {
  return makeNode("Identity", [from], [to], { name: from.name });
}

function isDifferentiable({ name, type }: Value): boolean {
  if (type?.kind !== "tensor") {
    throw new UnsupportedError("what goes from stage to stage has to be a tensor of known dtype", {
      got: formatType(type),
      where: `value ${JSON.stringify(name)}`,
    });
  }
  return dataTypes[type.dtype].kind === "float";
}

function gradientInputs(taken: readonly Value[], inputOf: (value: Value) => string): string[] {
  return taken.filter(isDifferentiable).map(inputOf);
}

/** The model of nodes whose one output is Σ ⟨value, cotangent⟩ over those values that have a gradient. */
function contracted(model: Model, nodes: readonly Node[], given: readonly Value[], scope: Names) {
  const g = graphBuilder({ names: scope, infer: builderInference(TARGET_OPSET), prefix: "handed_on/" });
  const cotangents = new Map<Value, Value>();
  const terms = given.filter(isDifferentiable).map((value) => {
    const cotangent: Value = { ...value, name: scope.fresh(`${value.name}:cotangent`) };
    cotangents.set(value, cotangent);
    return g.op("ReduceSum", [g.op("Mul", [value, cotangent]), undefined], { keepdims: false });
  });
  const total = terms.reduce((sum, term) => g.op("Add", [sum, term]));
  return { model: modelOfNodes(model, [...nodes, ...g.nodes], [total]), cotangents };
}

/** The model with parameters as inputs. */
function fedWith(model: Model, parameters: readonly string[]): Model {
  const { inputs, initializers } = model.graph;
  const fed = [...initializers.keys()].filter(({ name }) => parameters.includes(name));
  const kept = new Map([...initializers].filter(([value]) => !fed.includes(value)));
  return withGraph(model, { ...model.graph, inputs: [...inputs, ...fed], initializers: kept });
}

function checkStep(step: SplitStep): SplitStep {
  if (step.gradients.state.length > 0) {
    throw new UnsupportedError("stages of a pipeline take no statistics of batches", {
      expected: 'a network without BatchNormalization, or `batchNorm: "frozen"`',
      got: step.gradients.state.map(({ name }) => name).join(", "),
      hint: "They would be the statistics of micro-batches.",
    });
  }
  if (step.gradients.maskKey !== undefined) {
    throw new UnsupportedError("stages of a pipeline do not drop", {
      expected: '`dropout: "off"`',
      got: "a network with Dropout",
    });
  }
  return step;
}

function sharedBy(all: readonly Omit<PipelineStage, "shared">[], { step }: Pick<PipelineStage, "step">) {
  return step.gradients.parameters.flatMap((name) => {
    const stages = all.filter((other) => other.step.gradients.parameters.includes(name)).map(({ stage }) => stage);
    return stages.length > 1 ? [{ name, stages }] : [];
  });
}
