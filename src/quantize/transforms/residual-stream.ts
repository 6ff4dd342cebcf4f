/** @file The residual stream of a network: values that sums hand on, who writes to them, and the norms through which they are read. */
import { isLayer, isStacked, type Layer, layerAmong, weightsIn } from "../../calibration/index.ts";
import { UnsupportedError } from "../../errors.ts";
import { type Graph, intOf, labelOf, type Node, producerOf, usesOf, type Value } from "../../ir/index.ts";

export interface ResidualStream {
  readonly width: number;
  /** Matrices whose outputs go into the stream. */
  readonly writers: readonly Layer[];
  /** Constants with rows of the stream's width: tables that are looked up, and terms of sums. */
  readonly tables: readonly { readonly node: Node; readonly input: number }[];
  readonly norms: readonly Node[];
  /** Matrices that read the stream, through a norm or as it is. */
  readonly readers: readonly { readonly layer: Layer; readonly norm: Node | undefined }[];
}

const normOperators: ReadonlySet<string> = new Set([
  "LayerNormalization",
  "RMSNormalization",
  "SimplifiedLayerNormalization",
]);

/** @throws UnsupportedError that names the first node at which the stream is something else than sums, matrices, tables and norms */
export function residualStream(graph: Graph): ResidualStream {
  const first = graph.nodes.find(({ opType }) => normOperators.has(opType));
  const [start, scale] = first?.inputs ?? [];
  const width = weightsIn(graph)(scale)?.dims[0];
  if (!first || !start || width === undefined) {
    throw new UnsupportedError("there is no residual stream to rotate", {
      expected: "sums of matrices' outputs, read through LayerNormalization or RMSNormalization with a constant scale",
      got: first ? `the scale of ${labelOf(first)} is no constant` : "no such norm",
    });
  }
  return new Walk(graph, width).from(start);
}

/** What one walk has found so far. */
class Walk {
  readonly #seen = new Set<Value>();
  readonly #writers = new Map<Node, Layer>();
  readonly #tables: { node: Node; input: number }[] = [];
  readonly #norms = new Set<Node>();
  readonly #readers = new Map<Node, { layer: Layer; norm: Node | undefined }>();
  readonly #graph: Graph;
  readonly #width: number;

  constructor(graph: Graph, width: number) {
    this.#graph = graph;
    this.#width = width;
  }

  from(start: Value): ResidualStream {
    const waiting = [start];
    for (let value = waiting.pop(); value; value = waiting.pop()) {
      if (this.#seen.has(value)) continue;
      this.#seen.add(value);
      for (const next of [...this.#made(value), ...this.#read(value)]) waiting.push(next);
    }
    return {
      width: this.#width,
      writers: [...this.#writers.values()],
      tables: this.#tables,
      norms: [...this.#norms],
      readers: [...this.#readers.values()],
    };
  }

  /** Looks at what makes a value of the stream; further values of it. */
  #made(value: Value): Value[] {
    const maker = producerOf(this.#graph, value);
    if (!maker) throw this.#refused(value.name, "it begins at an input");
    if (maker.opType === "Add") {
      return [0, 1].flatMap((input) => {
        const operand = maker.inputs[input];
        if (!operand) return [];
        if (!weightsIn(this.#graph)(operand)) return [operand];
        this.#table(maker, input);
        return [];
      });
    }
    if (maker.opType === "Gather" && intOf(maker, "axis", 0) === 0) {
      this.#table(maker, 0);
      return [];
    }
    const layer = this.#layer(maker);
    if (layer?.rows !== this.#width) throw this.#refused(labelOf(maker), `${maker.opType} writes to it`);
    this.#writers.set(maker, layer);
    return [];
  }

  #table(node: Node, input: number): void {
    const table = weightsIn(this.#graph)(node.inputs[input]);
    if (table?.dtype !== "float32" || table.dims.at(-1) !== this.#width) {
      throw this.#refused(labelOf(node), "it adds what is no float32 constant with a number for each channel");
    }
    this.#tables.push({ node, input });
  }

  /** Looks at what reads a value of the stream; further values of it. */
  #read(value: Value): Value[] {
    return usesOf(this.#graph, value).flatMap(({ node, input }) => {
      if (!node) throw this.#refused(value.name, "it is an output");
      if (node.opType === "Shape") return [];
      if (node.opType === "Add") return node.outputs[0] ? [node.outputs[0]] : [];
      if (normOperators.has(node.opType) && input === 0) this.#norm(node);
      else this.#reader(node, input, undefined);
      return [];
    });
  }

  #norm(node: Node): void {
    const [scale, bias] = [1, 2].map((i) => node.inputs[i] && weightsIn(this.#graph)(node.inputs[i]));
    const isPlain = intOf(node, "axis", -1) === -1 && node.outputs.slice(1).every((output) => !output);
    const isConstant = scale?.dtype === "float32" && (!node.inputs[2] || bias?.dtype === "float32");
    if (!isPlain || !isConstant) throw this.#refused(labelOf(node), "a norm over other axes, or without constants");
    this.#norms.add(node);
    const [output] = node.outputs;
    for (const use of output ? usesOf(this.#graph, output) : []) {
      if (use.node?.opType === "Shape") continue;
      if (!use.node) throw this.#refused(labelOf(node), "its output is one of the model");
      this.#reader(use.node, use.input, node);
    }
  }

  #reader(node: Node, input: number, norm: Node | undefined): void {
    const layer = input === 0 ? this.#layer(node) : undefined;
    if (layer?.columns !== this.#width) throw this.#refused(labelOf(node), `${node.opType} reads it`);
    this.#readers.set(node, { layer, norm });
  }

  #layer(node: Node): Layer | undefined {
    const layer = layerAmong(weightsIn(this.#graph), node);
    return node.opType !== "Conv" && isLayer(layer) && !isStacked(layer) ? layer : undefined;
  }

  #refused(where: string, got: string): UnsupportedError {
    return new UnsupportedError("the residual stream cannot be rotated exactly", {
      expected: "sums of matrices' outputs and tables, read by matrices through LayerNormalization or RMSNormalization",
      got,
      where: JSON.stringify(where),
    });
  }
}
