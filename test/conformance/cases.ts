/** @file The conformance cases of ONNX: a model with inputs and expected outputs each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Model, sizeOf, tensor, type ValueType } from "../../src/ir/index.ts";
import {
  decodeOptionalFile,
  decodeSequenceFile,
  decodeTensorFile,
  type FileValue,
} from "../../src/onnx/tensor-file.ts";
import { sharedPath } from "../shared.ts";

export interface Case {
  /** `node/test_abs`. */
  readonly name: string;
  readonly model: string;
  /** Files by position; a position without a file is an omitted optional. */
  readonly inputs: ReadonlyMap<number, string>;
  readonly outputs: ReadonlyMap<number, string>;
  readonly relative: number;
  readonly absolute: number;
}

/** Tolerances of ONNX's own runner. */
const tolerance = { relative: 1e-3, absolute: 1e-7 };
const wider: ReadonlyMap<string, number> = new Map([["light/densenet121", 2e-3]]);

const root = "data/onnx-backend-tests";

/** All cases in the order of their names. */
export function allCases(): Case[] {
  const folders = ["node", "pytorch-converted", "pytorch-operator", "simple"].flatMap((suite) =>
    readdirSync(sharedPath(`${root}/${suite}`))
      .sort()
      .map((name) => folderCase(`${suite}/${name}`)),
  );
  const light = readdirSync(sharedPath(`${root}/light`))
    .filter((file) => file.endsWith(".onnx"))
    .sort()
    .map((file) => lightCase(file.replace(/^light_|\.onnx$/g, "")));
  return [...folders, ...light];
}

function folderCase(name: string): Case {
  const folder = sharedPath(`${root}/${name}`);
  const data = `${folder}/test_data_set_0`;
  const files = existsSync(data) ? readdirSync(data) : [];
  const numbered = (kind: string): Map<number, string> => {
    const found = new Map<number, string>();
    for (const file of files) {
      const match = new RegExp(`^${kind}_(\\d+)\\.pb$`).exec(file);
      if (match) found.set(Number(match[1]), `${data}/${file}`);
    }
    return found;
  };
  return { name, model: `${folder}/model.onnx`, inputs: numbered("input"), outputs: numbered("output"), ...tolerance };
}

/** Light models have expected outputs only; their float inputs are i / n. */
function lightCase(short: string): Case {
  const path = sharedPath(`${root}/light/light_${short}`);
  const name = `light/${short}`;
  const relative = wider.get(name) ?? tolerance.relative;
  const outputs = new Map([[0, `${path}_output_0.pb`]]);
  return { name, model: `${path}.onnx`, inputs: new Map(), outputs, ...tolerance, relative };
}

/** The values that the case feeds, by input name. */
export function feedsOf(test: Case, { graph }: Model): Map<string, FileValue> {
  const feeds = new Map<string, FileValue>();
  graph.inputs.forEach((input, i) => {
    const file = test.inputs.get(i);
    if (file) feeds.set(input.name, readValue(file, input.type));
    else if (test.name.startsWith("light/") && !graph.initializers.has(input)) feeds.set(input.name, ramp(input.type));
  });
  return feeds;
}

/** The values that the case expects, by output name. */
export function expectationsOf(test: Case, { graph }: Model): Map<string, FileValue> {
  const expected = new Map<string, FileValue>();
  graph.outputs.forEach((output, i) => {
    const file = test.outputs.get(i);
    if (file) expected.set(output.name, readValue(file, output.type));
  });
  return expected;
}

function readValue(path: string, type: ValueType | undefined): FileValue {
  const bytes = readFileSync(path);
  if (type?.kind === "sequence") return decodeSequenceFile(bytes);
  return type?.kind === "optional" ? decodeOptionalFile(bytes) : decodeTensorFile(bytes);
}

function ramp(type: ValueType | undefined): FileValue {
  const dims = type?.kind === "tensor" ? (type.dims ?? []).map((dim) => (typeof dim === "number" ? dim : 1)) : [];
  const count = sizeOf(dims);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: count }, (_, i) => i / count),
  );
}
