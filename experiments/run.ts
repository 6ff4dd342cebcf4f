/**
 * @file Runs an experiment by name, records its result and writes the page of results.
 *
 *     npm run experiment NAME [-- --shared ../shared] [--fresh] [--python PYTHON]
 *     npm run experiment page
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeAtomically } from "../src/atomic-file.ts";
import { UsageError } from "../src/errors.ts";
import { describeHardware } from "../src/runtime/index.ts";
import type { ExperimentContext, Recorded } from "./experiment.ts";
import { experiments } from "./index.ts";
import { verdictText } from "./judgement.ts";
import { pagePath, resultsFolder, resultsPage } from "./page.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shared: { type: "string", default: "../shared" },
    fresh: { type: "boolean", default: false },
    keep: { type: "string" },
    python: { type: "string" },
  },
});

const [name] = positionals;
mkdirSync(resultsFolder, { recursive: true });
if (name !== "page") await runExperiment(name);
await writeAtomically(pagePath, resultsPage());

async function runExperiment(wanted: string | undefined): Promise<void> {
  const experiment = experiments.find((candidate) => candidate.name === wanted);
  if (!experiment) {
    const expected = experiments.map((candidate) => candidate.name).join(", ");
    throw new UsageError("there is no such experiment", { expected, got: String(wanted) });
  }
  const began = performance.now();
  const result = await experiment.run(context(experiment.name));
  const { cpu, cores, platform, arch, node, flags, runtimes } = await describeHardware();
  const deciding = flags.filter((flag) => /^(avx|avx2|fma|avx512f|avx512_vnni|avx_vnni|amx_int8)$/.test(flag));
  const recorded: Recorded = {
    experiment: experiment.name,
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu, cores, platform, arch, node, flags: deciding, runtimes: Object.fromEntries(runtimes) },
    seconds: (performance.now() - began) / 1000,
    result,
  };
  await writeAtomically(`${resultsFolder}${experiment.name}.json`, `${JSON.stringify(recorded, null, 1)}\n`);
  rmSync(partial(experiment.name), { force: true });
  console.log(`${experiment.page(result)}\n\n${verdictText(experiment.judge(result))}`);
}

/** Finished parts of an experiment that is under way; git does not see them. */
function partial(experiment: string): string {
  return `${resultsFolder}.${experiment}.partial`;
}

function context(experiment: string): ExperimentContext {
  const path = partial(experiment);
  const known = !values.fresh && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : [];
  const parts = new Map<string, unknown>(known as [string, unknown][]);
  return {
    shared: values.shared,
    python: values.python ?? process.env.LITHE_PYTHON,
    log: (line) => console.error(line),
    async keep(file, bytes) {
      if (values.keep !== undefined) await writeAtomically(join(values.keep, file), bytes);
    },
    async once<T>(key: string, work: () => Promise<T>): Promise<T> {
      if (parts.has(key)) return parts.get(key) as T;
      const result = await work();
      parts.set(key, result);
      await writeAtomically(path, JSON.stringify([...parts]));
      return result;
    },
  };
}
