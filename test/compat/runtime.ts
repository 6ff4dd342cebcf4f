/** @file Runs models on an installed version of ONNX Runtime, in processes that may die. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesOfTensor, type DataType, strings, stringsOf, type Tensor } from "../../src/ir/index.ts";
import type { Feeds } from "../../src/runtime/index.ts";

export type Build = "node" | "web";

export interface Job {
  readonly id: string;
  /** Paths of the model and of its inputs. */
  readonly model: string;
  readonly feeds: string;
}

export type Outcome =
  | { readonly outputs: ReadonlyMap<string, Tensor> }
  /** What the runtime said, or how its process ended. */
  | { readonly error: string };

interface WrittenTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data?: string;
  readonly texts?: readonly string[];
}

/** Milliseconds after which a process that answers nothing is ended. */
const PATIENCE = 120_000;

const runner = fileURLToPath(new URL("./runner.mjs", import.meta.url));

export function writeFeeds(path: string, feeds: Feeds): void {
  const written = [...feeds].map(([name, value]) => [name, writtenOf(value)] as const);
  writeFileSync(path, JSON.stringify(Object.fromEntries(written)));
}

/** Answers to all jobs; a job that ends its process does not keep those after it from being done. */
export async function runJobs(
  folder: string,
  build: Build,
  jobs: readonly Job[],
  scratch: string,
): Promise<ReadonlyMap<string, Outcome>> {
  mkdirSync(scratch, { recursive: true });
  const outcomes = new Map<string, Outcome>();
  let left = jobs;
  while (left.length > 0) {
    const ended = await runOnce(folder, build, left, scratch, outcomes);
    left = left.filter(({ id }) => !outcomes.has(id));
    const [first] = left;
    if (first) outcomes.set(ended.begun ?? first.id, { error: `the process ${ended.how}` });
    left = left.filter(({ id }) => !outcomes.has(id));
  }
  return outcomes;
}

async function runOnce(
  folder: string,
  build: Build,
  jobs: readonly Job[],
  scratch: string,
  outcomes: Map<string, Outcome>,
): Promise<{ readonly begun: string | undefined; readonly how: string }> {
  const [list, results] = [join(scratch, "jobs.jsonl"), join(scratch, "results.jsonl")];
  writeFileSync(list, jobs.map((job) => JSON.stringify(job)).join("\n"));
  rmSync(results, { force: true });
  const how = await endOf(folder, build, list, results);
  const lines = existsSync(results) ? readFileSync(results, "utf8").split("\n").filter(Boolean) : [];
  let begun: string | undefined;
  for (const line of lines) {
    const result = JSON.parse(line);
    if (result.begun !== undefined) {
      begun = result.begun;
      continue;
    }
    begun = undefined;
    outcomes.set(result.id, result.error === undefined ? { outputs: read(result.outputs) } : { error: result.error });
  }
  return { begun, how };
}

function endOf(folder: string, build: Build, list: string, results: string): Promise<string> {
  const child = spawn(process.execPath, [runner, folder, build, list, results], { stdio: "ignore" });
  let size = -1;
  const watch = setInterval(() => {
    const now = existsSync(results) ? readFileSync(results).byteLength : 0;
    if (now === size) child.kill("SIGKILL");
    size = now;
  }, PATIENCE);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(watch);
      resolve(signal ? `was ended by ${signal}` : `exited with code ${code}`);
    });
  });
}

function writtenOf(value: Tensor): WrittenTensor {
  const { dtype, dims } = value;
  if (dtype === "string") return { dtype, dims, texts: stringsOf(value) };
  return { dtype, dims, data: Buffer.from(bytesOfTensor(value)).toString("base64") };
}

function read(outputs: Readonly<Record<string, WrittenTensor>>): Map<string, Tensor> {
  return new Map(Object.entries(outputs).map(([name, value]) => [name, tensorOf(value)]));
}

function tensorOf({ dtype, dims, data, texts }: WrittenTensor): Tensor {
  return data === undefined
    ? strings(dims, texts ?? [])
    : { dtype, dims, data: new Uint8Array(Buffer.from(data, "base64")) };
}
