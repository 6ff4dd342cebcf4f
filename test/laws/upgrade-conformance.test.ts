/** @file Old opsets of the conformance suites: after the upgrade they still give the expected outputs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Model, numbersOf, opsetOf, type Tensor, verify } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { decodeTensorFile } from "../../src/onnx/tensor-file.ts";
import { upgradeOpset } from "../../src/passes/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { describeShared, hasShared, sharedPath } from "../shared.ts";

const suites = ["pytorch-converted", "pytorch-operator", "simple"];

const folders = hasShared
  ? suites.flatMap((suite) =>
      readdirSync(sharedPath(`data/onnx-backend-tests/${suite}`)).map((name) => `${suite}/${name}`),
    )
  : [];

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

function tensors(folder: string, kind: "input" | "output", names: readonly string[]): Map<string, Tensor> {
  const files = names.map((name, i): [string, string] => [name, `${folder}/test_data_set_0/${kind}_${i}.pb`]);
  return new Map(
    files.filter(([, file]) => existsSync(file)).map(([name, file]) => [name, decodeTensorFile(read(file))]),
  );
}

function farthest(a: Tensor, b: Tensor): number {
  expect(a.dims).toEqual(b.dims);
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const scale = y.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  return x.reduce(
    (worst, value, i) => (Object.is(value, y[i]) ? worst : Math.max(worst, Math.abs(value - y[i]!) / scale)),
    0,
  );
}

async function outputsOf(model: Model, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await openSession(model, { optimization: "disabled" });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

describeShared("upgraded conformance cases", () => {
  it("give the expected outputs at opset 21", async () => {
    const wrong: string[] = [];
    let upgraded = 0;
    for (const name of folders) {
      const folder = sharedPath(`data/onnx-backend-tests/${name}`);
      const before = decodeModel(read(`${folder}/model.onnx`));
      const { model: after, notes = [] } = await upgradeOpset().run(before);
      const numeric = [...before.graph.inputs, ...before.graph.outputs].every(
        ({ type }) => type?.kind === "tensor" && type.dtype !== "string",
      );
      const isStandard = [...before.opsets.keys()].every((domain) => domain === "" || domain === "ai.onnx");
      if (opsetOf(before) >= 21 || !numeric || !isStandard) continue;
      if (after === before) {
        wrong.push(`${name}: ${notes.map(({ reason }) => reason).join(", ")}`);
        continue;
      }
      expect(verify(after), name).toEqual([]);
      const fed = before.graph.inputs.map((value) => value.name);
      const feeds = tensors(folder, "input", fed);
      const expected = tensors(
        folder,
        "output",
        before.graph.outputs.map((value) => value.name),
      );
      const results = await outputsOf(after, feeds);
      for (const [output, tensor] of expected) {
        if (!(farthest(results.get(output)!, tensor) <= 1e-3)) wrong.push(`${name}: ${output}`);
      }
      upgraded++;
    }
    expect(wrong).toEqual([]);
    expect(upgraded).toBeGreaterThan(100);
  });
});
