/**
 * @file The rules without which ONNX Runtime is silently wrong, ends the process, or fails only when it runs.
 * Each says what goes wrong and how a session prevents it; a law test shows both.
 */
import { UnsupportedError } from "../errors.ts";
import {
  allGraphs,
  allNodes,
  type DataType,
  describeNode,
  type Model,
  type Node,
  opsetOf,
  type Value,
} from "../ir/index.ts";
import { externalValue } from "./external-data.ts";
import { hasFullRangeWeights } from "./full-range-weights.ts";
import { hiddenQuantization } from "./hidden-quantization.ts";
import { miscomputedConvolution } from "./miscomputed-convolution.ts";
import { hasMovedCapture } from "./moved-captures.ts";
import { withNodeNames } from "./node-names.ts";
import type { ResolvedOptions } from "./options.ts";
import { withOwnIntegers } from "./own-integers.ts";
import { withOwnStatistics } from "./own-statistics.ts";
import { reducedType } from "./reduced-types.ts";
import { hasUniqueIndices } from "./unique-indices.ts";
import { withPresent } from "./unkept-past.ts";
import { failsOnGpu } from "./webgpu-nodes.ts";

/** What a model is about to be loaded with, and on. */
export interface Target extends ResolvedOptions {
  /** Whether uint8 × int8 products saturate on this machine's CPU. */
  readonly saturates: boolean;
  /** Whether this build of the runtime leaves types out, as the web build with WebGPU does. */
  readonly reduced: boolean;
}

export interface Rule {
  readonly goesWrong: string;
  /** Throws where a model must not reach the runtime. */
  readonly check?: (model: Model, target: Target) => void;
  /** A model that computes the same without the danger. */
  readonly rewrite?: (model: Model, target: Target) => Model;
  /** A configuration entry that prevents it, unless the caller sets it or asks for the stock behaviour. */
  readonly config?: (model: Model, target: Target) => readonly [key: string, value: string] | undefined;
  /** The entry changes no number, so that it holds for the stock behaviour too. */
  readonly always?: true;
  /** What a session tells of rather than prevents, since the caller may want it. */
  readonly notice?: (model: Model, target: Target) => string | undefined;
  /** Whether a GPU provider must leave this node to the CPU. */
  readonly cpuNode?: (node: Node, model: Model) => boolean;
  /** The file whose construction prevents it, for what neither models nor options show. */
  readonly builtInto?: string;
}

/** The highest opset whose models the runtime loads. */
export const MAX_OPSET = 26;

const unfetchable: ReadonlySet<DataType> = new Set(["int4", "uint4", "int2", "uint2", "float4e2m1"]);
const unloadable: ReadonlySet<DataType> = new Set<DataType>([
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "float8e8m0",
  "complex64",
  "complex128",
]);

/** The entry with the optimisers to leave out, separated by semicolons. */
const DISABLED = "optimization.disable_specified_optimizers";

/** Whether a session may hand out a tensor of this type. */
export function isFetchable(dtype: DataType): boolean {
  return !unfetchable.has(dtype);
}

export const rules = {
  "external-data": {
    goesWrong: "a reference to external data makes the runtime open a file that the model names",
    check(model) {
      const value = externalValue(model);
      if (value === undefined) return;
      throw new UnsupportedError("a model's tensors must be loaded before a session opens it", {
        got: "a reference to external data",
        where: value,
        hint: "Load the model with loadModel(path), which resolves external data inside its folder.",
      });
    },
  },
  "scatter-race": {
    goesWrong: "ScatterND with a reduction loses updates when indices repeat and there are several threads",
    check(model, { ep, threads }) {
      if (threads === 1 || ep === "webgpu") return;
      for (const graph of allGraphs(model.graph)) {
        const racy = graph.nodes.find((node) => node.opType === "ScatterND" && !hasUniqueIndices(graph, node));
        if (racy) {
          throw new UnsupportedError("ScatterND with a reduction races on several threads", {
            where: describeNode(racy),
            hint: "Use ScatterElements, or one thread.",
          });
        }
      }
    },
  },
  "no-alias": {
    goesWrong: "a buffer that is fed and fetched at once is overwritten while other nodes still read it",
    builtInto: "remote-session.ts",
  },
  "webgpu-layout": {
    goesWrong: "the WebGPU provider's default layout computes convolutions with 6, 9 or 18 input channels wrong",
    builtInto: "prepare.ts",
    check(model, { ep, stock }) {
      if (ep !== "webgpu" || !stock) return;
      const found = miscomputedConvolution(model);
      if (found === undefined) return;
      throw new UnsupportedError("an application's WebGPU session would compute this convolution wrongly", {
        expected: "input channels that are a multiple of 4, or none of 3",
        got: `${found.channels} input channels`,
        where: describeNode(found.node),
        hint: 'Run it with { preferredLayout: "NCHW" }, as lithe\'s own sessions do.',
      });
    },
  },
  "training-dropout": {
    goesWrong: "the optimiser deletes Dropout in training mode unless its mask is used",
    config: (model) => (hasNode(model, isTrainingDropout) ? [DISABLED, "EliminateDropout"] : undefined),
  },
  "training-statistics": {
    goesWrong:
      "BatchNormalization in training mode writes its statistics over those that it was fed with or that are stored",
    rewrite: withOwnStatistics,
  },
  "unkept-past": {
    goesWrong: "attention with past keys and values, whose present ones are no outputs, reads the new ones alone",
    rewrite: withPresent,
  },
  "hidden-quantization": {
    goesWrong: "layers that were left in float between DequantizeLinear and QuantizeLinear get int8 weights at load",
    notice(model, { ep, optimization, config }) {
      const off = config.get(DISABLED)?.split(";").includes("WeightBiasQuantization");
      if (ep === "webgpu" || optimization === "disabled" || off) return undefined;
      const layers = hiddenQuantization(model);
      if (layers.length === 0) return undefined;
      return `the runtime rounds the float weights of ${layers.join(", ")} to int8; "${DISABLED}": "WeightBiasQuantization" keeps them`;
    },
  },
  "moved-captures": {
    goesWrong: "a value that is moved behind DequantizeLinear and read in a branch ends the process at load",
    config: (model) => (hasMovedCapture(model) ? [DISABLED, "QDQPropagationTransformer"] : undefined),
    always: true,
  },
  "weight-only-accuracy": {
    goesWrong: "weight-only DequantizeLinear → MatMul is fused into a kernel that rounds the activations to int8",
    config: () => ["session.qdq_matmulnbits_accuracy_level", "0"],
  },
  "u8s8-saturation": {
    goesWrong: "uint8 × int8 products saturate in int16 on x64 without VNNI when weights use more than 7 bits",
    rewrite: (model, target) => (maySaturate(model, target) ? withOwnIntegers(model) : model),
    config: (model, target) => (maySaturate(model, target) ? ["session.x64quantprecision", "1"] : undefined),
  },
  "ignored-options": {
    goesWrong: "unknown options and configuration entries are ignored in silence",
    builtInto: "options.ts",
  },
  "ignored-feeds": {
    goesWrong: "feeds of unknown names, and feeds that would override initializers, are ignored in silence",
    builtInto: "feeds.ts",
  },
  "unknown-rank": {
    goesWrong: "an unknown rank is reported as [], exactly like a scalar",
    builtInto: "ports.ts",
  },
  "packed-outputs": {
    goesWrong: "fetching a tensor of 4-bit elements ends the process",
    check: (model) => refuseTypes(model.graph.outputs, unfetchable, "output", "cast it to int8 or uint8 first"),
  },
  "packed-inputs": {
    goesWrong: "a tensor of 4-bit elements cannot be fed",
    check: (model) =>
      refuseTypes(model.graph.inputs, unfetchable, "input", "feed int8 or uint8 and cast it in the model"),
  },
  "low-precision-ports": {
    goesWrong: "bfloat16, float8 and complex inputs or outputs fail while the session is created, without a name",
    check: (model) =>
      refuseTypes(
        [...model.graph.inputs, ...model.graph.outputs],
        unloadable,
        "port",
        "cast it to float32 in the model",
      ),
  },
  "half-precision-feeds": {
    goesWrong: "float16 feeds arrive empty where the platform has Float16Array",
    builtInto: "node/backend.ts",
  },
  "reduced-types": {
    goesWrong:
      "the web build with WebGPU has no kernels for float64 and 16-bit integers, and fails without naming them",
    check(model, { reduced }) {
      if (!reduced) return;
      for (const graph of allGraphs(model.graph)) {
        const found = reducedType(graph);
        if (found === undefined) continue;
        throw new UnsupportedError("this build of the runtime leaves a type of the model out", {
          got: found,
          hint: 'Keep to float32, float16, bool and integers of 8, 32 and 64 bits, as steps of the profile "portable" do.',
        });
      }
    },
  },
  "gpu-download": {
    goesWrong: "downloading a tensor from the GPU in Node ends the process",
    builtInto: "ort-options.ts",
  },
  "shared-memory": {
    goesWrong: "arrays over shared memory are refused as invalid arguments",
    builtInto: "feeds.ts",
  },
  "webgpu-run-time": {
    goesWrong: "some nodes are placed on the GPU and then fail when they run",
    rewrite: (model, { ep }) =>
      ep === "webgpu" && hasNode(model, failsOnGpu) ? withNodeNames(model, failsOnGpu) : model,
    cpuNode: failsOnGpu,
  },
  "blocked-thread": {
    goesWrong: "a run blocks the thread that calls it, timers included",
    builtInto: "node/channels.ts",
  },
  "idle-spinning": {
    goesWrong: "the threads of an idle session keep spinning and slow every other session down",
    config: (_, { threads }) => (threads > 1 ? ["session.force_spinning_stop", "1"] : undefined),
    always: true,
  },
  "native-leak": {
    goesWrong: "garbage collection does not free a session's native memory",
    builtInto: "remote-session.ts",
  },
  "opset-limit": {
    goesWrong: "opsets above 26 are refused only after the model was handed over",
    check(model) {
      const opset = opsetOf(model);
      if (opset <= MAX_OPSET) return;
      throw new UnsupportedError("the runtime does not know this opset", {
        expected: `at most ${MAX_OPSET}`,
        got: String(opset),
        hint: "Convert the model to opset 21 first.",
      });
    },
  },
  "profile-prefix": {
    goesWrong: "profiling without a file prefix fails",
    builtInto: "node/backend.ts",
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;

export interface Prepared {
  readonly model: Model;
  readonly config: ReadonlyMap<string, string>;
  readonly cpuNodes: readonly string[];
  /** What the runtime will do to the model although nobody asked for it. */
  readonly notices: readonly string[];
}

/** Applies every rule to a model that is about to be loaded. */
export function applyRules(model: Model, target: Target): Prepared {
  const table: readonly Rule[] = Object.values(rules);
  for (const { check } of table) check?.(model, target);
  const safe = table.reduce((current, { rewrite }) => rewrite?.(current, target) ?? current, model);
  const config = new Map<string, string>();
  for (const rule of table) {
    const entry = target.stock && !rule.always ? undefined : rule.config?.(safe, target);
    if (entry) config.set(entry[0], joined(config.get(entry[0]), entry[1]));
  }
  for (const [key, value] of target.config) config.set(key, value);
  const notices = table.flatMap(({ notice }) => notice?.(model, target) ?? []);
  return { model: safe, config, cpuNodes: cpuNodes(safe, target, table), notices };
}

/** Several rules may leave an optimiser out each. */
function joined(known: string | undefined, value: string): string {
  return known === undefined ? value : `${known};${value}`;
}

function cpuNodes(model: Model, { ep }: Target, table: readonly Rule[]): string[] {
  if (ep !== "webgpu") return [];
  return [...allNodes(model)]
    .filter((node) => table.some(({ cpuNode }) => cpuNode?.(node, model)))
    .map(({ name }) => name);
}

function hasNode(model: Model, matches: (node: Node, model: Model) => boolean): boolean {
  for (const node of allNodes(model)) if (matches(node, model)) return true;
  return false;
}

function maySaturate(model: Model, { ep, saturates, stock }: Target): boolean {
  return ep === "cpu" && saturates && !stock && hasFullRangeWeights(model);
}

/** A third input may turn training on, and an unused mask lets the optimiser delete the node. */
function isTrainingDropout(node: Node): boolean {
  return node.opType === "Dropout" && node.inputs[2] !== undefined;
}

function refuseTypes(values: readonly Value[], types: ReadonlySet<DataType>, what: string, hint: string): void {
  for (const { name, type } of values) {
    if (type?.kind !== "tensor" || !types.has(type.dtype)) continue;
    throw new UnsupportedError(`the runtime cannot pass ${type.dtype} through a model's ports`, {
      where: `${what} ${JSON.stringify(name)}`,
      hint: `Keep it inside the model: ${hint}.`,
    });
  }
}
