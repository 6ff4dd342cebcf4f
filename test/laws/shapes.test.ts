/** @file Inferred types against declared ones, and against the tensors that the conformance cases expect. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import {
  allGraphs,
  describeNode,
  formatType,
  type Graph,
  type Initializer,
  type Model,
  mapSubgraphs,
  scalar,
  type Tensor,
  tensorType,
  type Value,
  type ValueType,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { decodeTensorFile } from "../../src/onnx/tensor-file.ts";
import { type Inference, inferModel } from "../../src/ops/index.ts";
import { describeShared, hasShared, sharedPath } from "../shared.ts";

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly inputs: ReadonlyMap<number, Tensor>;
  readonly outputs: ReadonlyMap<number, Tensor>;
}

function* conformanceCases(): Generator<Case> {
  for (const suite of ["node", "pytorch-converted", "pytorch-operator", "simple"]) {
    const folder = sharedPath(`data/onnx-backend-tests/${suite}`);
    for (const name of readdirSync(folder)) {
      const path = `${folder}/${name}/model.onnx`;
      if (!existsSync(path)) continue;
      const data = `${folder}/${name}/test_data_set_0`;
      const model = decodeModel(readFileSync(path));
      yield { name: `${suite}/${name}`, model, inputs: tensorsIn(data, "input"), outputs: tensorsIn(data, "output") };
    }
  }
}

/** The tensors of one folder by place; what is no tensor (a sequence, an optional) is left out. */
function tensorsIn(folder: string, kind: "input" | "output"): Map<number, Tensor> {
  const found = new Map<number, Tensor>();
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const place = new RegExp(`^${kind}_(\\d+)\\.pb$`).exec(name)?.[1];
    const tensor = place === undefined ? undefined : tensorIn(`${folder}/${name}`);
    if (tensor) found.set(Number(place), tensor);
  }
  return found;
}

function tensorIn(path: string): Tensor | undefined {
  try {
    return decodeTensorFile(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** Whether a value of type `actual` may be what was inferred. */
function allows(inferred: ValueType | undefined, actual: Tensor): boolean {
  if (!inferred) return true;
  if (inferred.kind !== "tensor" || inferred.dtype !== actual.dtype) return false;
  if (!inferred.dims) return true;
  const { dims } = inferred;
  return (
    dims.length === actual.dims.length && dims.every((dim, i) => typeof dim === "string" || dim === actual.dims[i])
  );
}

function isConcrete(type: ValueType | undefined): boolean {
  return type?.kind === "tensor" && type.dims !== undefined && type.dims.every((dim) => typeof dim === "number");
}

/** The model with no type on anything that its main graph computes. */
function bareModel(model: Model, constants: ReadonlyMap<Value, Tensor> = new Map()): Model {
  const inputs = new Set([...allGraphs(model.graph)].flatMap((graph) => graph.inputs));
  const bare = new Map<Value, Value>();
  const strip = (value: Value): Value => {
    if (inputs.has(value)) return value;
    const known = bare.get(value) ?? { name: value.name };
    bare.set(value, known);
    return known;
  };
  const graph = stripped(model.graph, strip);
  return { ...model, graph: { ...graph, initializers: new Map([...graph.initializers, ...constants]) } };
}

function stripped(graph: Graph, strip: (value: Value) => Value): Graph {
  const inner = mapSubgraphs(graph, (subgraph) => stripped(subgraph, strip));
  const optional = (value: Value | undefined): Value | undefined => value && strip(value);
  return {
    ...inner,
    outputs: inner.outputs.map(strip),
    nodes: inner.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(optional),
      outputs: node.outputs.map(optional),
    })),
    initializers: new Map([...inner.initializers].map(([value, data]): [Value, Initializer] => [strip(value), data])),
  };
}

/** What contradicts the expected tensors, and the problems that inference found. */
function complaints({ name, outputs }: Case, { graph }: Model, inferred: Inference): string[] {
  const wrong = graph.outputs.flatMap((output, i) => {
    const actual = outputs.get(i);
    const type = inferred.types.get(output);
    if (!actual || allows(type, actual)) return [];
    return [`${name}: ${formatType(type)}, not ${formatType(tensorType(actual.dtype, actual.dims))}`];
  });
  return [...wrong, ...inferred.problems.map(({ where, message }) => `${name}: ${where}: ${message}`)];
}

/**
 * Cases whose outputs' lengths depend on the values of tensors, on strings, or on the number of iterations of a loop;
 * the affine grids choose between shapes by an `If` over a rank that is not followed.
 */
const dependsOnValues =
  /_(compress|nonzero|unique|nonmaxsuppression|image_decoder|string_split|strnorm\w*|loop11|range_\w+_expanded|affine_grid_\w+_expanded|sequence_model[145])[_ ]/;

/** Dims that a file leaves open without a name, and the value that chooses between its branches. */
const unnamed = new Map([
  [
    "models/silero-vad.onnx",
    new Map([
      ["input", [1, 512]],
      ["state", [2, 1, 128]],
    ]),
  ],
]);
const chosen = new Map([["models/silero-vad.onnx", new Map([["sr", scalar("int64", 16_000)]])]]);

function chosenValues({ graph }: Model, file: string): Map<Value, Tensor> {
  const values = graph.inputs.map((value) => [value, chosen.get(file)?.get(value.name)] as const);
  return new Map(values.filter((entry): entry is [Value, Tensor] => entry[1] !== undefined));
}

function modelFiles(): string[] {
  if (!hasShared) return [];
  const light = readdirSync(sharedPath("data/onnx-backend-tests/light")).map(
    (name) => `data/onnx-backend-tests/light/${name}`,
  );
  const models = readdirSync(sharedPath("models")).map((name) => `models/${name}`);
  return [...models, ...light].filter((name) => name.endsWith(".onnx"));
}

describeShared("shape laws", () => {
  it("contradicts no declared type and no expected tensor", () => {
    const wrong: string[] = [];
    let count = 0;
    for (const item of conformanceCases()) {
      wrong.push(...complaints(item, item.model, inferModel(item.model)));
      count++;
    }
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(1900);
  });

  it("finds every dim by itself where the small inputs are constants", () => {
    const wrong: string[] = [];
    const open: string[] = [];
    let concrete = 0;
    for (const item of conformanceCases()) {
      const constants = new Map<Value, Tensor>();
      item.model.graph.inputs.forEach((value, i) => {
        const tensor = item.inputs.get(i);
        if (tensor && tensor.dims.length <= 1 && tensor.dtype !== "string") constants.set(value, tensor);
      });
      const model = bareModel(item.model, constants);
      const inferred = inferModel(model);
      wrong.push(...complaints(item, model, inferred));
      model.graph.outputs.forEach((output, i) => {
        const type = inferred.types.get(output);
        if (isConcrete(type)) concrete++;
        else if (item.outputs.has(i)) open.push(`${item.name} ${i}: ${formatType(type)}`);
      });
    }
    expect(wrong).toEqual([]);
    expect(open.filter((line) => !dependsOnValues.test(line))).toEqual([]);
    expect(concrete).toBeGreaterThan(2200);
  });

  it.each(modelFiles())("types every value of %s", (file) => {
    const model = decodeModel(readFileSync(sharedPath(file)));
    const bare = bareModel(model, chosenValues(model, file));
    const inferred = inferModel(bare, { feeds: unnamed.get(file) });
    expect(inferred.problems).toEqual([]);
    expect(inferred.opaque).toEqual([]);
    const untyped = [...allGraphs(bare.graph)].flatMap(({ nodes }) =>
      nodes.filter(inferred.reached).flatMap((node) =>
        node.outputs.flatMap((value) => {
          const type = value && inferred.types.get(value);
          return !value || (type?.kind === "tensor" && type.dims) ? [] : [`${describeNode(node)}: ${formatType(type)}`];
        }),
      ),
    );
    expect(untyped).toEqual([]);
    const expected = tensorIn(sharedPath(file.replace(".onnx", "_output_0.pb")));
    const output = inferred.types.get(bare.graph.outputs[0]!);
    if (expected) expect(output).toEqual(tensorType(expected.dtype, expected.dims));
  });
});
