/** @file Every operator that float16 conversion converts is loaded and run by ONNX Runtime in float16: one conformance case each. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { allNodes, type Model } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { signatureOf } from "../../src/ops/index.ts";
import { convertFloat16 } from "../../src/passes/index.ts";
import { allCases, type Case } from "../conformance/cases.ts";
import { runtimeProcess } from "../conformance/runtime.ts";
import { describeShared, hasShared } from "../shared.ts";

/** float16 has 11 bits; sums lose some of them. */
const tolerance = { relative: 0.02, absolute: 0.02 };

/** Forms of operators that the runtime has no float16 kernel for, and operators whose dtype an attribute or nothing decides. */
const delicate =
  /scatter(_elements|nd)_.*(add|mul|max|min|reduction|duplicate)|constantofshape|mvn|bitcast_float32|optional_get_element_tensor|cast_FLOAT_to_DOUBLE|resize_downsample_sizes_nearest$/;

function isTyped(model: Model): boolean {
  const [node] = model.graph.nodes;
  return model.graph.nodes.length === 1 && node !== undefined && signatureOf(node, 21) !== undefined;
}

function operatorsIn(model: Model): string[] {
  return [...allNodes(model)].map(({ opType }) => opType);
}

/** The delicate cases, and the first case of each operator. */
function chosenCases(): Case[] {
  const seen = new Set<string>();
  return allCases().filter((test) => {
    if (!test.name.startsWith("node/")) return false;
    if (delicate.test(test.name)) return true;
    const model = decodeModel(new Uint8Array(readFileSync(test.model)));
    const fresh = isTyped(model) && operatorsIn(model).some((opType) => !seen.has(opType));
    for (const opType of operatorsIn(model)) seen.add(opType);
    return fresh;
  });
}

describeShared("float16 operators", () => {
  it("load and run, within the rounding of float16", async () => {
    const runtime = runtimeProcess();
    const wrong: string[] = [];
    let converted = 0;
    for (const test of hasShared ? chosenCases() : []) {
      const before = decodeModel(new Uint8Array(readFileSync(test.model)));
      const { model: after } = await convertFloat16().run(before);
      if (after === before) continue;
      converted++;
      const problem = await runtime.problem({ ...test, ...tolerance }, after);
      if (problem && !(await runtime.problem(test, before))) wrong.push(`${test.name}: ${problem}`);
    }
    await runtime.close();
    expect(wrong).toEqual([]);
    expect(converted).toBeGreaterThan(80);
  });
});
