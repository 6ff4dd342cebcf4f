/**
 * @file Converts every conformance case to float16, runs it on ONNX Runtime in a child process, and prints which operators fail or differ:
 * those belong among `float32Operators` or into `halfKernels`. `--only PATTERN` takes the cases whose names match.
 *
 *     npm run build && node --import ./scripts/typescript.mjs scripts/float16-kernels.ts
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { allNodes, type Model } from "../src/ir/index.ts";
import { decodeModel } from "../src/onnx/index.ts";
import { convertFloat16 } from "../src/passes/index.ts";
import { allCases } from "../test/conformance/cases.ts";
import { runtimeProcess } from "../test/conformance/runtime.ts";

/** float16 has 11 bits; cases with long sums or steep functions lose some of them. */
const tolerance = { relative: 0.02, absolute: 0.02 };

const { values } = parseArgs({ options: { only: { type: "string", default: "^node/" } } });
const pattern = new RegExp(values.only);
const runtime = runtimeProcess();
const operators = new Set<string>();
let converted = 0;
for (const test of allCases()) {
  if (!pattern.test(test.name)) continue;
  const before = decodeModel(new Uint8Array(readFileSync(test.model)));
  const { model: after } = await convertFloat16().run(before);
  if (after === before || (await runtime.problem(test, before))) continue;
  converted++;
  for (const node of halfNodes(after)) operators.add(node);
  const problem = await runtime.problem({ ...test, ...tolerance }, after);
  if (problem) console.log(`${test.name}: ${problem}`);
}
await runtime.close();
console.log(`${converted} cases converted, with ${operators.size} operators: ${[...operators].sort().join(" ")}`);

function halfNodes(model: Model): string[] {
  return [...allNodes(model)].flatMap(({ opType, outputs }) =>
    outputs.some((value) => value?.type && "dtype" in value.type && value.type.dtype === "float16") ? [opType] : [],
  );
}
