import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { equalModels, type Model, parseModel, printModel, verify } from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { fuzz, fuzzCorpus } from "../fuzz/fuzz.ts";
import { describeShared, hasShared, sharedPath } from "../shared.ts";
import { meaningOf } from "./plain-schema.ts";

const cases = hasShared ? filesBelow("data/onnx-backend-tests/", /model\.onnx$/) : [];
const models = hasShared ? filesBelow("models/", /\.onnx$/) : [];

function filesBelow(folder: string, pattern: RegExp): string[] {
  const names = readdirSync(sharedPath(folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => pattern.test(name)).map((name) => folder + name);
}

/** What is wrong with the way of a file through the IR and back; `undefined` when nothing is. */
function trouble(bytes: Uint8Array): string | undefined {
  const model = decodeModel(bytes);
  const again = encodeModel(model);
  const [finding] = verify(model);
  if (finding) return `${finding.message} at ${finding.where}`;
  return equalModels(model, decodeModel(again)) ?? (sameMeaning(bytes, again) ? undefined : "the file says less");
}

function sameMeaning(before: Uint8Array, after: Uint8Array): boolean {
  return JSON.stringify(meaningOf(before), bigints) === JSON.stringify(meaningOf(after), bigints);
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

/** Doc strings and metadata of nodes are not part of the text. */
function textTrouble(model: Model): string | undefined {
  const text = printModel(model, { largest: 1000 });
  if (text.includes("{...")) return undefined;
  const difference = equalModels(parseModel(text), model, { preserved: false });
  return difference && /(docString|metadata)\b/.test(difference) ? undefined : difference;
}

describeShared("real models", () => {
  it.each(models)("%s keeps everything in a round trip", (name) => {
    expect(trouble(readFileSync(sharedPath(name)))).toBeUndefined();
  });

  it("keeps everything of every conformance case", () => {
    expect(cases.length).toBeGreaterThan(1900);
    const found = cases.map((name) => [name, trouble(readFileSync(sharedPath(name)))]);
    expect(found.filter(([, problem]) => problem !== undefined)).toEqual([]);
  });

  it("prints and parses every conformance case", () => {
    const found = cases.map((name) => [name, textTrouble(decodeModel(readFileSync(sharedPath(name))))]);
    expect(found.filter(([, problem]) => problem !== undefined)).toEqual([]);
  });
});

it("ends every mutated model in a named error or a true round trip", () => {
  const report = fuzz(2000, 7, fuzzCorpus());
  expect(report.failures).toEqual([]);
  expect(report.outcomes.valid).toBeGreaterThan(0);
  expect(report.outcomes.FormatError).toBeGreaterThan(0);
});
