/** @file Mutated models through decode → verify → encode → decode: each ends in a named error or a true round trip. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { LitheError } from "../../src/errors.ts";
import { equalModels, float, graphBuilder, type Model, model, strings, tensor, verify } from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { hasShared, sharedPath } from "../shared.ts";
import { below, mutations, randomFrom } from "./mutate.ts";

export interface FuzzReport {
  readonly cases: number;
  /** How many cases ended in each way: `valid`, `invalid` (read, but `verify` objects), or an error's name. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What must not happen, with the seed's case number and the mutation. */
  readonly failures: readonly string[];
  /** Cases that took long, which says as much of the machine as of them. */
  readonly slow: readonly string[];
  readonly slowestMs: number;
  readonly casesPerSecond: number;
}

/** A case that takes longer is slow. */
const MAX_MS = 2000;

export function fuzz(count: number, seed: number, corpus: readonly Uint8Array[]): FuzzReport {
  const random = randomFrom(seed);
  const kinds = Object.entries(mutations);
  const outcomes = new Map<string, number>();
  const failures: string[] = [];
  const slow: string[] = [];
  const started = performance.now();
  let slowestMs = 0;
  for (let i = 0; i < count; i++) {
    const [name, mutate] = kinds[below(random, kinds.length)]!;
    const bytes = corpus[below(random, corpus.length)]!;
    const changed = mutate(bytes, random, corpus[below(random, corpus.length)]!);
    const before = performance.now();
    const outcome = outcomeOf(changed);
    const spent = performance.now() - before;
    slowestMs = Math.max(slowestMs, spent);
    outcomes.set(outcome.name, (outcomes.get(outcome.name) ?? 0) + 1);
    if (outcome.failure) failures.push(`case ${i} (${name}): ${outcome.failure}`);
    if (spent > MAX_MS) slow.push(`case ${i} (${name}): ${Math.round(spent)} ms`);
  }
  return {
    cases: count,
    outcomes: Object.fromEntries([...outcomes].sort()),
    failures,
    slow,
    slowestMs: Math.round(slowestMs),
    casesPerSecond: Math.round((1000 * count) / (performance.now() - started)),
  };
}

/** How one file ends; `failure` says what is wrong with that. */
export function outcomeOf(bytes: Uint8Array): { readonly name: string; readonly failure?: string } {
  let decoded: Model;
  try {
    decoded = decodeModel(bytes);
  } catch (error) {
    if (error instanceof LitheError) return { name: error.name };
    return { name: "crash", failure: `decode: ${String(error)}` };
  }
  try {
    const isValid = verify(decoded).length === 0;
    const difference = equalModels(decoded, decodeModel(encodeModel(decoded)));
    if (isValid && difference) return { name: "changed", failure: difference };
    return { name: isValid ? "valid" : "invalid" };
  } catch (error) {
    const named = error instanceof LitheError && verify(decoded).length > 0;
    return named ? { name: `invalid, ${error.name}` } : { name: "crash", failure: `after decode: ${String(error)}` };
  }
}

/** Small models: generated ones, and the conformance cases where they are at hand. */
export function fuzzCorpus(maxBytes = 4096): Uint8Array[] {
  const corpus = [encodeModel(denseModel()), encodeModel(branchingModel())];
  if (!hasShared) return corpus;
  const cases = sharedPath("data/onnx-backend-tests/");
  for (const name of readdirSync(cases, { recursive: true, encoding: "utf8" }).sort()) {
    if (!name.endsWith("model.onnx") || statSync(cases + name).size > maxBytes) continue;
    corpus.push(new Uint8Array(readFileSync(cases + name)));
  }
  return corpus;
}

function denseModel(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["n", 3]);
  const w = g.constant("w", tensor("float32", [3, 2], [1, 2, 3, 4, 5, 6]));
  const names = g.constant("names", strings([2], ["a", "b"]));
  const y = g.op("LeakyRelu", [g.op("MatMul", [x, w])], { alpha: float(0.25) });
  g.output(g.op("Transpose", [y], { perm: [1, 0] }), "y");
  g.output(g.op("Identity", [names]), "labels");
  return model(g.build(), { metadata: new Map([["__proto__", "x"]]), docString: "small" });
}

function branchingModel(): Model {
  const g = graphBuilder();
  const condition = g.input("condition", "bool", []);
  const x = g.input("x", "float32", [2]);
  const branch = (opType: string): Model["graph"] => {
    const inner = g.subgraph();
    inner.output(inner.unchecked(opType, [x], 1)[0]);
    return inner.build(opType);
  };
  const attributes = {
    then_branch: { type: "graph", value: branch("Neg") },
    else_branch: { type: "graph", value: branch("Abs") },
  } as const;
  g.output(g.op("If", [condition], attributes), "y");
  return model(g.build());
}
