/**
 * @file Runs the gradients of every case of the gradient law on the WebGPU provider, in the forms that it can run, against
 * float64; lists where it differs or fails, and which operators of the gradients it leaves to the CPU. Without a GPU it uses
 * Chromium's software adapter where Chromium is installed.
 *
 *     npm run build && node --import ./scripts/typescript.mjs scripts/gradients-webgpu.ts [PATTERN]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { portableForms } from "../src/autodiff/index.ts";
import { allGraphs, numbersOf } from "../src/ir/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { gradientCases } from "../test/laws/gradient-cases/index.ts";
import { type Prepared, prepare, reference } from "../test/laws/gradient-check.ts";
import { swiftshader } from "../test/swiftshader.ts";

const forms = portableForms;
const [pattern = ""] = process.argv.slice(2);

if (swiftshader && process.env.VK_ICD_FILENAMES === undefined) {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), pattern];
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
report(outcomes);

async function outcomeOf(prepared: Prepared): Promise<Outcome> {
  await using session = await openSession(prepared.gradient, { ep: "webgpu", profile: true });
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

function report(all: ReadonlyMap<string, Outcome>): void {
  const failed = [...all].filter(([, { problem }]) => problem !== undefined);
  const counts = new Map<string, number>();
  for (const { onCpu } of all.values()) for (const type of onCpu) counts.set(type, (counts.get(type) ?? 0) + 1);
  console.log(`${all.size - failed.length} of ${all.size} cases right on WebGPU`);
  for (const [name, { problem }] of failed) console.log(`- ${name}: ${problem?.slice(0, 200)}`);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([type, count]) => `${type} (${count})`);
  console.log(`left to the CPU, by cases: ${sorted.join(", ") || "nothing"}`);
}
