/** @file The models whose forms are tried on older runtimes: ONNX's conformance cases, with weights in them, and real ones. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { syntheticFeeds } from "../../src/data/index.ts";
import {
  dataTypes,
  graphAttribute,
  int64s,
  type Model,
  opsetOf,
  type Tensor,
  type Value,
  withGraph,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import type { Feeds } from "../../src/runtime/index.ts";
import { allCases, type Case, feedsOf } from "../conformance/cases.ts";
import { parseManifest } from "../conformance/manifest.ts";
import { build, floats, graphs } from "../laws/pass-graphs.ts";
import { sharedPath } from "../shared.ts";

export interface Subject {
  readonly name: string;
  readonly model: Model;
  readonly feeds: Feeds;
  /** Too much work for the reference evaluator. */
  readonly isLarge?: true;
}

const manifest = fileURLToPath(new URL("../onnx-backend.txt", import.meta.url));

/** All of them whose names match. */
export function* allSubjects(pattern: RegExp): Generator<Subject> {
  yield* builtSubjects(pattern);
  yield* conformanceSubjects(pattern);
  yield* realSubjects(pattern);
}

/** Every conformance case that the newest runtime passes, and the same with all inputs but the first as weights. */
function* conformanceSubjects(pattern: RegExp): Generator<Subject> {
  const failures = parseManifest(readFileSync(manifest, "utf8"));
  for (const test of allCases()) {
    if (!pattern.test(test.name) || failures.get(test.name)?.has("runtime")) continue;
    const subject = caseSubject(test);
    if (!subject) continue;
    yield* variantsOf(subject);
  }
}

/** As it stands, with its weights stored, and both as a file of an older opset would say the same. */
function* variantsOf(subject: Subject): Generator<Subject> {
  for (const each of [subject, withWeights(subject)]) {
    if (!each) continue;
    yield each;
    const older = relabelled(each);
    if (older) yield older;
  }
}

const OLDER = 17;

/** Most operators kept their meaning; a model that did not is refused or computes something else on the newest runtime too. */
function relabelled({ name, model, feeds, ...size }: Subject): Subject | undefined {
  if (opsetOf(model) <= OLDER) return undefined;
  const opsets = new Map([...model.opsets, ["", OLDER]]);
  return {
    name: `${name}, opset ${OLDER}`,
    model: { ...model, opsets, irVersion: Math.min(8, Number(model.irVersion)) },
    feeds,
    ...size,
  };
}

/** The graphs that the laws of passes are tried on, windows with padding of every kind before them, and branches that a shape decides on. */
function* builtSubjects(pattern: RegExp): Generator<Subject> {
  for (const [name, make] of [...Object.entries(graphs), ...paddedWindows(), decidedBranches]) {
    if (!pattern.test(`built/${name}`)) continue;
    yield* variantsOf(synthetic(`built/${name}`, make()));
  }
}

/** Lithe knows the condition and the runtime does not: as a constant, it would make older ones lose what the branches hold. */
const decidedBranches: [string, () => Model] = [
  "branches that a shape decides on",
  () =>
    build((g) => {
      const x = g.input("x", "float32", ["n", 64]);
      const columns = g.op("Gather", [g.op("Shape", [x]), g.constant("one", int64s([1]))]);
      const branch = (opType: string, seed: number) => {
        const inner = g.subgraph();
        inner.output(inner.unchecked(opType, [x, inner.constant("c", floats([64], seed))], 1)[0]);
        return graphAttribute(inner.build(opType));
      };
      const branches = { then_branch: branch("Add", 1), else_branch: branch("Mul", 2) };
      g.output(g.op("If", [g.op("Equal", [columns, g.constant("columns", int64s([64]))])], branches), "y");
    }),
];

function* paddedWindows(): Generator<[string, () => Model]> {
  const window = { kernel_shape: [2, 2], strides: [1, 1] };
  for (const pads of [
    [0, 0, 1, 1],
    [1, 1, 0, 0],
    [1, 1, 1, 1],
    [0, 1, 2, 1],
  ]) {
    for (const opType of ["AveragePool", "MaxPool", "Conv"]) {
      const own = { ...window, pads, ...(opType === "AveragePool" && { count_include_pad: 1 }) };
      const make = (padded: boolean) => () =>
        build(
          (g) => {
            const x = g.input("x", "float32", [1, 4, 6, 6]);
            const constant = g.constant("padding", int64s([0, 0, pads[0]!, pads[1]!, 0, 0, pads[2]!, pads[3]!]));
            const before = padded ? g.op("Pad", [x, constant]) : x;
            const weights = opType === "Conv" ? [g.constant("w", floats([4, 4, 2, 2]))] : [];
            g.output(g.unchecked(opType, [before, ...weights], 1, padded ? window : own)[0], "y");
          },
          { opset: OLDER, irVersion: 8 },
        );
      yield [`Pad ${pads} before ${opType}`, make(true)];
      yield [`${opType} with pads ${pads}`, make(false)];
    }
  }
}

function caseSubject(test: Case): Subject | undefined {
  const model = decodeModel(readFileSync(test.model));
  const feeds = new Map<string, Tensor>();
  for (const [name, value] of feedsOf(test, model)) {
    if (!("dtype" in value)) return undefined;
    feeds.set(name, value);
  }
  return { name: test.name, model, feeds, ...(test.name.startsWith("light/") && { isLarge: true }) };
}

/** Inputs after the first float one become initializers, as an exported network has them. */
function withWeights({ name, model, feeds, ...size }: Subject): Subject | undefined {
  const { graph } = model;
  const kept = graph.inputs.find((input) => isFloat(feeds.get(input.name)));
  const frozen = graph.inputs.filter((input) => input !== kept && feeds.has(input.name));
  if (!kept || frozen.length === 0) return undefined;
  const initializers = new Map([
    ...graph.initializers,
    ...frozen.map((input): [Value, Tensor] => [input, feeds.get(input.name)!]),
  ]);
  const inputs = graph.inputs.filter((input) => !frozen.includes(input));
  return {
    name: `${name}, weights stored`,
    model: withGraph(model, { ...graph, inputs, initializers }),
    feeds: new Map([...feeds].filter(([input]) => !frozen.some((value) => value.name === input))),
    ...size,
  };
}

function isFloat(value: Tensor | undefined): boolean {
  return value !== undefined && dataTypes[value.dtype].kind === "float" && value.dims.length > 0;
}

/** The real models beside the checkout, on random inputs. */
function* realSubjects(pattern: RegExp): Generator<Subject> {
  const files = readdirSync(sharedPath("models")).filter((name) => name.endsWith(".onnx"));
  for (const file of files.sort()) {
    const name = `models/${file}`;
    if (!pattern.test(name)) continue;
    const model = decodeModel(readFileSync(sharedPath(name)));
    yield { ...synthetic(name, model, lengths[file]), isLarge: true };
  }
}

/** Of inputs that do not say them and take no others. */
const lengths: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  "silero-vad.onnx": { input: [1, 512], state: [2, 1, 128] },
};

/** A model of speech asks for the sampling rate, of which it knows two. */
const ranges = new Map([["sr", { values: [16_000] }]]);

function synthetic(name: string, model: Model, known: Readonly<Record<string, readonly number[]>> = {}): Subject {
  const ports = model.graph.inputs
    .filter((input) => !model.graph.initializers.has(input))
    .flatMap(({ name: input, type }) => {
      const dims = known[input] ?? (type?.kind === "tensor" ? type.dims : undefined);
      return type?.kind === "tensor" ? [{ name: input, dtype: type.dtype, ...(dims && { dims }) }] : [];
    });
  return { name, model, feeds: syntheticFeeds(ports, { seed: 1, batch: 1, ranges }).feeds };
}
