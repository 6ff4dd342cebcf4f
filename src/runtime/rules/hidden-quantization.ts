/** @file Layers whose float weights the runtime rounds to int8 while it loads a model. */
import {
  allGraphs,
  constantOf,
  describeNode,
  type Graph,
  type Model,
  type Node,
  producerOf,
  soleConsumer,
} from "../../ir/index.ts";
import { DISABLED } from "./disabled-optimisers.ts";
import type { Rule } from "./rule.ts";

export const hiddenQuantization: Rule = {
  goesWrong: "layers that were left in float between DequantizeLinear and QuantizeLinear get int8 weights at load",
  notice(model, { ep, optimization, config }) {
    const off = config.get(DISABLED)?.split(";").includes("WeightBiasQuantization");
    if (ep === "webgpu" || optimization === "disabled" || off) return undefined;
    const layers = roundedLayers(model);
    if (layers.length === 0) return undefined;
    return `the runtime rounds the float weights of ${layers.join(", ")} to int8; "${DISABLED}": "WeightBiasQuantization" keeps them`;
  },
};

const concerned: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm"]);
const activations: ReadonlySet<string> = new Set(["Relu", "Clip"]);

/** The nodes that ONNX Runtime's `WeightBiasQuantization` changes, in words. */
function roundedLayers(model: Model): string[] {
  return [...allGraphs(model.graph)].flatMap((graph) =>
    graph.nodes.filter((node) => isBetween(graph, node)).map(describeNode),
  );
}

/** Between DequantizeLinear and QuantizeLinear, with a float constant for a weight. */
function isBetween(graph: Graph, node: Node): boolean {
  if (!concerned.has(node.opType) || node.domain !== "") return false;
  const [x, w] = node.inputs;
  if (!x || !w || producerOf(graph, x)?.opType !== "DequantizeLinear") return false;
  const weight = constantOf(graph, w);
  return weight?.dtype === "float32" && isQuantizedNext(graph, node);
}

function isQuantizedNext(graph: Graph, node: Node): boolean {
  const next = onlyReader(graph, node);
  const behind = next && activations.has(next.opType) ? onlyReader(graph, next) : next;
  return behind?.opType === "QuantizeLinear";
}

function onlyReader(graph: Graph, { outputs: [y] }: Node): Node | undefined {
  return y && !graph.outputs.includes(y) ? soleConsumer(graph, y) : undefined;
}
