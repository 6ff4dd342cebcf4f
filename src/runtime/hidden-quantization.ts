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
} from "../ir/index.ts";

const concerned: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm"]);
const activations: ReadonlySet<string> = new Set(["Relu", "Clip"]);

/** The nodes that ONNX Runtime's `WeightBiasQuantization` changes, in words. */
export function hiddenQuantization(model: Model): string[] {
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
