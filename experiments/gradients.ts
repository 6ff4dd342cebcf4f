/** @file The table of gradients as figures: every rule checked in float64, on the runtime and on WebGPU. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { WebGpuSummary } from "../scripts/gradients-webgpu.ts";
import { gradientTable } from "../src/autodiff/index.ts";
import { gradientCases } from "../test/laws/gradient-cases/index.ts";
import { prepare } from "../test/laws/gradient-check.ts";
import { type Comparison, derivativeCheck, runtimeCheck, SEEDS, THREADS } from "../test/laws/gradient-verdicts.ts";
import { trainingOperatorCase, trainingOperatorCases } from "../test/laws/training-operators.ts";
import { swiftshader } from "../test/swiftshader.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, type Judgement } from "./judgement.ts";

interface Checks {
  readonly run: number;
  readonly passed: number;
  /** What failed, and by how much. */
  readonly failures: readonly string[];
}

interface Result {
  readonly operators: Readonly<Record<"rule" | "expand" | "stop" | "refuse", number>>;
  /** Rules and expansions that no case covers. */
  readonly uncovered: readonly string[];
  readonly refusals: Readonly<Record<string, string>>;
  readonly cases: number;
  readonly float64: Checks;
  readonly float32: Checks;
  /** By number of threads. */
  readonly runtime: Readonly<Record<string, Checks>>;
  readonly withoutRuntime: Readonly<Record<string, string>>;
  readonly notDerivatives: Readonly<Record<string, string>>;
  readonly webgpu: WebGpuSummary | undefined;
  readonly trainingOperators: Readonly<Record<string, number>>;
}

function kindOf(entry: (typeof gradientTable)[keyof typeof gradientTable]): keyof Result["operators"] {
  return typeof entry === "function" ? "rule" : entry.kind;
}

/** What the table holds, without running anything. */
function tabled() {
  const operators = { rule: 0, expand: 0, stop: 0, refuse: 0 };
  const refusals = new Map<string, string>();
  const covered = new Set(gradientCases.flatMap(({ covers }) => covers));
  const uncovered: string[] = [];
  for (const [name, entry] of Object.entries(gradientTable)) {
    const kind = kindOf(entry);
    operators[kind]++;
    if (typeof entry !== "function" && entry.kind === "refuse") refusals.set(name, entry.reason);
    if ((kind === "rule" || kind === "expand") && !covered.has(name)) uncovered.push(name);
  }
  return { operators, uncovered, refusals: Object.fromEntries(refusals) };
}

function counted(comparisons: readonly (Comparison & { readonly name: string })[]): Checks {
  const failed = comparisons.filter(({ error, tolerance }) => !(error < tolerance));
  return {
    run: comparisons.length,
    passed: comparisons.length - failed.length,
    failures: failed.map(({ name, what, error }) => `${name}: ${what} differs by ${error}`),
  };
}

async function derivatives() {
  const found = { float64: [] as Named[], float32: [] as Named[] };
  for (const testCase of gradientCases) {
    for (const seed of SEEDS) {
      const check = await derivativeCheck(prepare(testCase, seed));
      if (check) found[check.precision].push({ name: testCase.name, ...check });
    }
  }
  return { float64: counted(found.float64), float32: counted(found.float32) };
}

type Named = Comparison & { readonly name: string };

async function onRuntime(threads: number): Promise<Checks> {
  const found: Named[] = [];
  for (const testCase of gradientCases) {
    if (typeof testCase.runtime === "string") continue;
    const [gradients] = await runtimeCheck(testCase, [threads]);
    found.push({ name: testCase.name, ...gradients! });
  }
  return counted(found);
}

/** In a process of its own, whose environment names the software adapter where there is no GPU. */
async function onWebGpu(): Promise<WebGpuSummary | undefined> {
  if (!swiftshader) return undefined;
  const script = fileURLToPath(new URL("../scripts/gradients-webgpu.ts", import.meta.url));
  const args = [...process.execArgv, script, "--json"];
  const options = { env: { ...process.env, ...swiftshader }, maxBuffer: 2 ** 26 };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return JSON.parse(stdout) as WebGpuSummary;
}

async function run({ once, log, shared }: ExperimentContext): Promise<Result> {
  const trainingOperators: Record<string, number> = {};
  for (const name of trainingOperatorCases) {
    trainingOperators[name] = (await trainingOperatorCase(name, shared)).difference;
  }
  log("derivatives");
  const { float64, float32 } = await once("derivatives", derivatives);
  const runtime: Record<string, Checks> = {};
  for (const threads of THREADS) {
    log(`${threads} threads`);
    runtime[threads] = await once(`${threads} threads`, () => onRuntime(threads));
  }
  log("WebGPU");
  const webgpu = await once("webgpu", onWebGpu);
  const reasons = (key: "runtime" | "notADerivative") =>
    Object.fromEntries(gradientCases.flatMap((one) => (typeof one[key] === "string" ? [[one.name, one[key]]] : [])));
  return {
    ...tabled(),
    cases: gradientCases.length,
    float64,
    float32,
    runtime,
    withoutRuntime: reasons("runtime"),
    notDerivatives: reasons("notADerivative"),
    webgpu,
    trainingOperators,
  };
}

export const gradients: Experiment<Result> = {
  name: "gradients",
  claim: "Every gradient rule is right, in float64, on ONNX Runtime and on WebGPU.",
  source: "lithe",
  workload: `Small cases of every differentiable operator (\`test/laws/gradient-cases\`). A random directional derivative of fourth order against the reference evaluator for ${SEEDS.length} seeds; ONNX Runtime's float32 gradients against float64 on ${THREADS.join(" and ")} threads; the same cases on the WebGPU provider in portable form, on Chromium's software adapter; ONNX's own reference cases of Gradient, Adagrad, Adam and Momentum after \`lowerTraining\`.`,
  seeds: SEEDS,
  criterion: "all checks pass, no rule is without a case, and every skipped case and refused operator has a reason.",
  run,
  judge: judgeChecks,
  page(result) {
    const { operators, cases, float64, float32, runtime, webgpu, trainingOperators } = result;
    const row = (name: string, { run: all, passed }: Checks) => [name, all, passed];
    const differences = Object.values(trainingOperators);
    const table = markdownTable(
      ["check", "run", "passed"],
      [
        row("directional derivative, float64 reference", float64),
        row("directional derivative, float32 on the runtime", float32),
        ...Object.entries(runtime).map(([threads, checks]) => row(`runtime, ${threads} threads`, checks)),
        ...(webgpu ? [["WebGPU", webgpu.cases, webgpu.right]] : []),
        ["ONNX training operators, lowered", differences.length, differences.filter((x) => x < 5e-6).length],
      ],
    );
    const counts = `${operators.rule} operators have a rule, ${operators.expand} an expansion; ${operators.stop} have a derivative of zero, ${operators.refuse} are refused with a reason. ${cases} cases, ${result.uncovered.length} rules without one.`;
    const failures = [
      ...float64.failures,
      ...float32.failures,
      ...Object.values(runtime).flatMap((checks) => checks.failures),
    ];
    const gaps =
      webgpu?.failed.map(({ name, problem }) => `- ${name}: ${problem.replaceAll(/\s+/g, " ").slice(0, 160)}`) ?? [];
    const left = Object.entries(webgpu?.onCpu ?? {}).map(([type, count]) => `${type} (${count})`);
    const lists = [
      `Skipped with a reason: ${reasonsOf(result.withoutRuntime)} on the runtime, ${reasonsOf(result.notDerivatives)} whose gradient is straight-through by design.`,
      failures.length > 0 ? `Failed:\n\n${failures.map((line) => `- ${line}`).join("\n")}` : "",
      webgpu
        ? `Operators of gradients that WebGPU leaves to the CPU, by cases: ${left.join(", ") || "none"}.`
        : "WebGPU: not run, no adapter.",
      gaps.length > 0 ? `Wrong or failed on WebGPU:\n\n${gaps.join("\n")}` : "",
    ];
    return [table, counts, ...lists.filter((text) => text !== "")].join("\n\n");
  },
};

function reasonsOf(reasons: Readonly<Record<string, string>>): string {
  return `${Object.keys(reasons).length} cases`;
}

function judgeChecks(result: Result): readonly Judgement[] {
  const { float64, float32, runtime, webgpu, trainingOperators, uncovered, refusals, operators } = result;
  const checks = Object.entries({ float64, "float32 on the runtime": float32, ...runtime });
  const reasons = [result.refusals, result.withoutRuntime, result.notDerivatives].flatMap((of) => Object.entries(of));
  return [
    everyOne(
      "all checks pass in float64 and on ONNX Runtime",
      checks,
      ([, { run: all, passed }]) => passed === all,
      ([name, { run: all, passed }]) => `${name}: ${passed} of ${all}`,
    ),
    webgpu
      ? {
          what: "and on WebGPU",
          holds: webgpu.right === webgpu.cases,
          figure: `${webgpu.right} of ${webgpu.cases}, the others are listed above`,
        }
      : { what: "and on WebGPU", holds: undefined, figure: "not run, no adapter" },
    everyOne(
      "ONNX's own training operators are right when lowered",
      Object.entries(trainingOperators),
      ([, difference]) => difference < 5e-6,
      ([name, difference]) => `${name}: ${difference.toExponential(1)}`,
    ),
    { what: "no rule is without a case", holds: uncovered.length === 0, figure: `${uncovered.length} without` },
    {
      what: "every skipped case and refused operator has a reason",
      holds: reasons.every(([, reason]) => reason !== "") && Object.keys(refusals).length === operators.refuse,
      figure: `${reasons.length} reasons, ${operators.refuse} refused`,
    },
  ];
}
