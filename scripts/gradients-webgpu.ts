/**
 * @file Runs the gradients of every case of the gradient law on the WebGPU provider, in the forms that it can run, against
 * float64; lists where it differs or fails, and which operators of the gradients it leaves to the CPU. Without a GPU it uses
 * Chromium's software adapter where Chromium is installed.
 *
 *     npm run build && node --import ./scripts/typescript.mjs scripts/gradients-webgpu.ts [PATTERN] [--json]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { portableForms } from "../src/autodiff/index.ts";
import { allGraphs, numbersOf } from "../src/ir/index.ts";
import { lowerPortable } from "../src/passes/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { gradientCases } from "../test/laws/gradient-cases/index.ts";
import { type Prepared, prepare, reference } from "../test/laws/gradient-check.ts";
import { swiftshader } from "../test/swiftshader.ts";

const forms = portableForms;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const [pattern = ""] = positionals;

if (swiftshader && process.env.VK_ICD_FILENAMES === undefined) {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit", env: { ...process.env, ...swiftshader } });
  process.exit(status ?? 1);
}

interface Outcome {
  readonly problem?: string;
  readonly onCpu: readonly string[];
}

const outcomes = new Map<string, Outcome>();
for (const testCase of gradientCases) {
  if (typeof testCase.runtime === "string" || !testCase.name.includes(pattern)) continue;
  const prepared = prepare(testCase, 1, forms);
  outcomes.set(
    testCase.name,
    await outcomeOf(prepared).catch((error: Error) => ({ problem: error.message, onCpu: [] })),
  );
}
const found = summaryOf(outcomes);
if (values.json) console.log(JSON.stringify(found));
else report(found);

async function outcomeOf(prepared: Prepared): Promise<Outcome> {
  const portable = lowerPortable().run(prepared.gradient).model;
  await using session = await openSession(portable, { ep: "webgpu", profile: true });
  const feeds = new Map([...prepared.feeds].filter(([name]) => session.inputs.some((port) => port.name === name)));
  const results = await session.run(feeds);
  const own = new Set([...allGraphs(prepared.base.graph)].flatMap(({ nodes }) => nodes.map(({ opType }) => opType)));
  const nodes = await session.profile();
  const onCpu = nodes.filter(({ provider, opType }) => provider.startsWith("CPU") && !own.has(opType));
  const expected = reference(prepared);
  const tolerance = (prepared.testCase.runtime as number | undefined) ?? 1e-2;
  for (const [name, result] of results) {
    const truth = Array.from(expected?.get(name) ?? []);
    const largest = Math.max(1, ...truth.map(Math.abs));
    const got = numbersOf(result);
    const worst = Math.max(0, ...truth.map((x, i) => Math.abs(x - got[i]!)));
    if (!(worst / largest < tolerance)) return { problem: `${name} differs by ${worst}`, onCpu: [] };
  }
  return { onCpu: [...new Set(onCpu.map(({ opType }) => opType))] };
}

/** What the provider did with the cases. */
export interface WebGpuSummary {
  readonly cases: number;
  readonly right: number;
  readonly failed: readonly { readonly name: string; readonly problem: string }[];
  /** Cases by operator of the gradient that the provider left to the CPU. */
  readonly onCpu: Readonly<Record<string, number>>;
}

function summaryOf(all: ReadonlyMap<string, Outcome>): WebGpuSummary {
  const failed = [...all].flatMap(([name, { problem }]) => (problem === undefined ? [] : [{ name, problem }]));
  const counts = new Map<string, number>();
  for (const { onCpu } of all.values()) for (const type of onCpu) counts.set(type, (counts.get(type) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  return { cases: all.size, right: all.size - failed.length, failed, onCpu: Object.fromEntries(sorted) };
}

function report({ cases, right, failed, onCpu }: WebGpuSummary): void {
  console.log(`${right} of ${cases} cases right on WebGPU`);
  for (const { name, problem } of failed) console.log(`- ${name}: ${problem.slice(0, 200)}`);
  const listed = Object.entries(onCpu).map(([type, count]) => `${type} (${count})`);
  console.log(`left to the CPU, by cases: ${listed.join(", ") || "nothing"}`);
}
