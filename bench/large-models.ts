/**
 * @file The forms of large models: a model of 600 MB in one file and one of 2.5 GB with external data go through the command, and the
 * seconds and the peak of the memory of all its processes together, with files that lie in memory, are printed, as JSON, with the load of the machine before. Linux
 * only. The bounds: 30 s on two cores and three times the model's bytes. With the start of a model's name, that model alone.
 *
 *     npm run bench -- large-models
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { graphBuilder, type Model, model, type Tensor, tensor } from "../src/ir/index.ts";
import { saveModel } from "../src/onnx/files.ts";

interface Subject {
  readonly name: string;
  readonly width: number;
  readonly layers: number;
  readonly vocabulary: number;
}

const subjects: readonly Subject[] = [
  { name: "600 MB, one file", width: 2048, layers: 24, vocabulary: 24_000 },
  { name: "2.5 GB, external data", width: 4096, layers: 26, vocabulary: 48_000 },
];

const forms = [["float16"], ["weight-only", "--bits", "4"]] as const;

/** Numbers of a fixed sequence, about normal, small. */
function noise(length: number): Float32Array {
  const values = new Float32Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      sum += state / 2 ** 31;
    }
    values[i] = sum / 100;
  }
  return values;
}

const block = noise(2 ** 20 + 7);

/** Weights that begin at another place of the sequence each. */
function weights(dims: readonly number[], seed: number): Tensor {
  const values = new Float32Array(dims.reduce((a, b) => a * b, 1));
  for (let start = 0, from = (seed * 7919) % block.length; start < values.length; from = 0) {
    const part = block.subarray(from, Math.min(block.length, from + values.length - start));
    values.set(part, start);
    start += part.length;
  }
  return tensor("float32", dims, values);
}

/** An embedding and residual products, one upon the other. */
function languageModel({ width, layers, vocabulary }: Subject): Model {
  const g = graphBuilder();
  const table = g.constant("embedding", weights([vocabulary, width], 0));
  let x = g.op("Gather", [table, g.input("ids", "int64", ["length"])]);
  for (let i = 1; i <= layers; i++) {
    x = g.op("Add", [x, g.op("MatMul", [x, g.constant(`weight_${i}`, weights([width, width], i))])]);
  }
  g.output(x, "y");
  return model(g.build());
}

/** Bytes in memory of all: those of the processes, and the files in memory that they share. */
function heldBytes(pid: number, before: number): number {
  return residentBytes(pid) + Math.max(0, filesInMemory() - before);
}

function filesInMemory(): number {
  const { blocks, bfree, bsize } = statfsSync("/dev/shm");
  return (blocks - bfree) * bsize;
}

/** Bytes in memory of a process, without files in memory, and those that it started, and so on. One that is just being started shows its maker's memory, and its words. */
function residentBytes(pid: number, maker?: string): number {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    if (words === maker) return 0;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const own = kilobytes(status, "RssAnon") + kilobytes(status, "RssFile");
    return childrenOf(pid).reduce((sum, child) => sum + residentBytes(child, words), 1024 * own);
  } catch {
    return 0;
  }
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)![1]);
}

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap((id) => readFileSync(`/proc/${pid}/task/${id}/children`, "utf8").split(" "));
  return children.filter((id) => id !== "").map(Number);
}

const entry = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function quantized(
  path: string,
  words: readonly string[],
): Promise<{ code: number | null; seconds: number; peak: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, [entry, "quantize", path, "--form", ...words], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const before = filesInMemory();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, heldBytes(child.pid ?? 0, before));
  }, 20);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(watch);
      resolve({ code, seconds: (performance.now() - began) / 1000, peak });
    });
  });
}

const start = process.argv[2] ?? "";
for (const subject of subjects.filter(({ name }) => name.startsWith(start))) {
  const folder = mkdtempSync(join(tmpdir(), "litheml-large-"));
  try {
    const path = join(folder, "model.onnx");
    await saveModel(path, languageModel(subject));
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    for (const words of forms) {
      const [load = 0] = loadavg();
      const { code, seconds, peak } = await quantized(path, words);
      const figures = {
        seconds: Math.round(10 * seconds) / 10,
        peakBytes: peak,
        ratio: Math.round((100 * peak) / bytes) / 100,
        load: Math.round(10 * load) / 10,
      };
      console.log(JSON.stringify({ model: subject.name, bytes, form: words.join(" "), code, ...figures }));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
