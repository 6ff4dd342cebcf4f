/** @file The commands and the page that lists them. Each is loaded only when it is named. */
import type { CommandEntry } from "./command.ts";

export const commands: Readonly<Record<string, CommandEntry>> = {
  inspect: {
    summary: "What a model is made of: nodes, parameters, multiply-accumulates, shapes",
    examples: ["inspect model.onnx --layers", "inspect model.onnx --dims batch=8,length=128"],
    load: async () => (await import("./inspect.ts")).command,
  },
  doctor: {
    summary: "What this machine can run, and which forms pay on it",
    examples: ["doctor", "doctor --probe --threads 2"],
    load: async () => (await import("./doctor.ts")).command,
  },
  bench: {
    summary: "Latency, throughput, memory and time per node of a model",
    examples: ["bench model.onnx", "bench model.onnx --batch 8 --threads 2 --profile"],
    load: async () => (await import("./bench.ts")).command,
  },
  compare: {
    summary: "Two models on the same inputs: size, latency ratio, agreement, accuracy",
    examples: [
      "compare model.onnx model_quantized.onnx",
      "compare model.onnx model_fp16.onnx --data pictures --max-drop 0.01",
    ],
    load: async () => (await import("./compare.ts")).command,
  },
  clean: {
    summary:
      "Constants folded, dead and idle nodes gone, norms and padding folded in, opset 21: the same function in fewer nodes",
    examples: [
      "clean model.onnx --data random",
      "clean model.onnx --data random --dynamic-batch --trace -o small.onnx",
    ],
    load: async () => (await import("./clean.ts")).command,
  },
  prune: {
    summary: "Narrower layers: channels, heads and units that matter little go, accuracy won back by distillation",
    examples: [
      "prune model.onnx --data pictures --ratio 0.3",
      "prune model.onnx --data pictures --target-macs 0.5 --finetune 2",
    ],
    load: async () => (await import("./prune.ts")).command,
  },
  metaprune: {
    summary: "Narrower layers of widths that evolution finds under a limit of work, trained anew on labelled samples",
    examples: [
      "metaprune model.onnx --data pictures --target-macs 0.5",
      "metaprune model.onnx --data pictures --target-macs 0.7 --dry-run",
    ],
    load: async () => (await import("./metaprune.ts")).command,
  },
  quantize: {
    summary: "Fewer bits: static, dynamic, weight-only, float16 or levels",
    examples: [
      "quantize model.onnx --form static --data pictures",
      "quantize model.onnx --form weight-only --bits 4 --data random",
    ],
    load: async () => (await import("./quantize.ts")).command,
  },
  parallelize: {
    summary: "A serial network made parallel: blocks side by side, accuracy won back by distillation",
    examples: [
      "parallelize model.onnx --branches 2 --data pictures",
      "parallelize model.onnx --branches 2 --data pictures --dry-run",
    ],
    load: async () => (await import("./parallelize.ts")).command,
  },
  route: {
    summary: "Dense feed-forward blocks made mixtures of experts: more parameters, or less work per token",
    examples: [
      "route model.onnx --experts 4 --data pictures",
      "route model.onnx --experts 4 --data pictures --dry-run",
    ],
    load: async () => (await import("./route.ts")).command,
  },
  exits: {
    summary: "Exits for a classifier: easy inputs leave early, through classifiers that learn from the whole network",
    examples: [
      "exits model.onnx --data pictures --epochs 8",
      "exits model.onnx --data pictures --exits 2 --drop 0.005 --dry-run",
    ],
    load: async () => (await import("./exits.ts")).command,
  },
  cascade: {
    summary: "Two classifiers as one: a small one answers where it is sure, the big one what is left",
    examples: [
      "cascade small.onnx big.onnx --data pictures",
      "cascade small.onnx big.onnx --data pictures --drop 0.005 -o both.onnx",
    ],
    load: async () => (await import("./cascade.ts")).command,
  },
  accelerate: {
    summary: "The fastest form of a model that stays right, found by measurement",
    examples: [
      "accelerate model.onnx --data pictures",
      "accelerate model.onnx --data pictures --goal size --max-drop 0.005 --budget 5m",
    ],
    load: async () => (await import("./accelerate.ts")).command,
  },
  train: {
    summary: "Trains a network, or a model further, on labelled samples",
    examples: [
      "train --model lenet --data pictures --epochs 5",
      "train lithe-out/lenet-trained/config.json --epochs 20",
    ],
    load: async () => (await import("./train.ts")).command,
  },
  finetune: {
    summary: "Fits an imported model to a new task: new head, frozen parts, adapters",
    examples: [
      "finetune model.onnx --data pictures --epochs 3",
      "finetune model.onnx --data pictures --lora 4 --learning-rate 0.01",
    ],
    load: async () => (await import("./finetune.ts")).command,
  },
  distill: {
    summary: "A network learns from a larger one, with labels or without",
    examples: [
      "distill --teacher large.onnx --student small.onnx --data pictures",
      "distill --teacher large.onnx --student small.onnx --data pictures --epochs 20 --resume",
    ],
    load: async () => (await import("./distill.ts")).command,
  },
  plan: {
    summary: "How to train a model on a cluster: replicas, stages, micro-batches, and what limits each plan",
    examples: [
      "plan model.onnx --cluster cluster.json",
      "plan model.onnx --cluster cluster.json --batch 256 --compress 4,100",
    ],
    load: async () => (await import("./plan.ts")).command,
  },
  launch: {
    summary: "One training by several ranks, each a thread with its part of every batch",
    examples: [
      "launch -n 2 -- train --model lenet --data pictures",
      "launch -n 4 --restarts 2 -- train --model lenet --data pictures --epochs 5",
    ],
    load: async () => (await import("./launch.ts")).command,
    runsNothing: true,
  },
  report: {
    summary: "The HTML page of a finished run",
    examples: ["report lithe-out/model", "report lithe-out/model -o page.html"],
    load: async () => (await import("./report.ts")).command,
    runsNothing: true,
  },
  demo: {
    summary: "The whole job on an embedded model and data set",
    examples: ["demo", "demo --budget 5m --threads 2"],
    load: async () => (await import("./demo.ts")).command,
  },
};

/** What `lithe --help` prints. */
export function helpText(): string {
  const width = Object.keys(commands).reduce((most, name) => Math.max(most, name.length), 0);
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "Usage: lithe <command> [arguments] [options]",
    "",
    "Makes neural networks run faster: an ONNX model in, a smaller and faster ONNX model out, proved by measurement.",
    "",
    "Commands:",
    ...rows,
    "",
    "Every command: --json (one object on stdout), --quiet, --no-color, --help. `lithe <command> --help` lists its options.",
    "",
  ].join("\n");
}
