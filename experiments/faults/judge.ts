/** @file Faults of judging: files that computed something else and were handed out, judges that looked at the wrong output. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked } from "../../src/accelerate/index.ts";
import {
  type DispatchName,
  type Expert,
  gates,
  moeLayer,
  smallFirst,
  withoutSideOutputs,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { LitheError } from "../../src/errors.ts";
import {
  type GraphBuilder,
  graphBuilder,
  int64s,
  type Model,
  model,
  scalar,
  type Tensor,
  tensor,
  type Value,
  withGraph,
} from "../../src/ir/index.ts";
import { type Agreement, measureAgreement } from "../../src/measure/index.ts";
import { conv, linear, network } from "../../src/nn/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Pass, sequential } from "../../src/rewrite/index.ts";
import { openSession, runtimeBuild } from "../../src/runtime/index.ts";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { inFolder } from "./in-folder.ts";

const exact = "Exact means exact";
const structure = "Changed structures keep the outputs";

/** y = f(x) over [batch, …rest]. */
function overInput(rest: readonly number[], build: (g: GraphBuilder, x: Value) => void): Model {
  const g = graphBuilder();
  build(g, g.input("x", "float32", ["batch", ...rest]));
  return model(g.build());
}

/** A product whose weights are `scale` and the identity's. */
function scaled(scale: number, outputs: readonly string[] = ["y"]): Model {
  return overInput([4], (g, x) => {
    const weight = tensor(
      "float32",
      [4, 4],
      Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? scale : 0)),
    );
    const y = g.op("MatMul", [x, g.constant("weight", weight)]);
    outputs.forEach((name, i) => void g.output(i === 0 ? y : g.op("Neg", [y]), name));
  });
}

/** Runs the command line over files of these models. */
async function onFiles(
  models: Readonly<Record<string, Model>>,
  words: readonly string[],
  judged: (ended: Ended, written: readonly string[]) => Answer,
): Promise<Answer> {
  return inFolder(async (folder) => {
    for (const [name, content] of Object.entries(models)) await writeFile(join(folder, name), encodeModel(content));
    const ended = await runCommand(words.map((word) => word.replace("{in}", folder)));
    return judged(ended, await readdir(folder));
  });
}

async function agreementOf(a: Model, b: Model, x: Tensor, labels?: readonly number[]): Promise<Agreement> {
  await using left = await openSession(a);
  await using right = await openSession(b);
  return await measureAgreement(left, right, [{ feeds: new Map([["x", x]]), ...(labels && { labels }) }]);
}

async function refusal(work: () => unknown): Promise<Answer> {
  try {
    await work();
    return { got: "accepted", ok: false };
  } catch (error) {
    return { got: String(error).slice(0, 160), ok: error instanceof LitheError };
  }
}

function mixture(dispatch: DispatchName, expert: Expert): Promise<Model> {
  return withoutSideOutputs(
    network(random(3), (n) => {
      const x = n.input("x", "float32", ["batch", 16]);
      n.output(moeLayer(n.scope("moe"), x, { gate: gates["top-k"]({ k: 1 }), expert, experts: 4, dispatch }), "y");
    }),
  );
}

function replacing(name: string, value: number): Pass {
  return {
    name,
    exactness: "exact",
    run: (before) => {
      const initializers = new Map([...before.graph.initializers].map(([key]) => [key, scalar("float32", value)]));
      return { model: withGraph(before, { ...before.graph, name, initializers }) };
    },
  };
}

const rows = tensor("float32", [2, 3], Float32Array.of(9, 0, 0, 9, 0, 0));

export const judgeFaults: readonly Fault[] = [
  {
    kind: exact,
    name: "quantize --form float16 of a network whose weights pass 65504",
    right: "the weights stay in float32, relative error 0; or exit 1, a BoundError, nothing written",
    before: "same answer 100.00 %, cosine 1, relative error 0.934; exit 0",
    try: () =>
      onFiles(
        { "a.onnx": scaled(1e6) },
        ["quantize", "{in}/a.onnx", "--form", "float16", "--data", "random"],
        ({ code, stdout, stderr }, written) => {
          const got = /same answer.*|BoundError.*/.exec(stdout + stderr)?.[0] ?? `exit ${code}`;
          return { got, ok: code === 0 ? got.includes("relative error 0,") : code === 1 && written.length === 1 };
        },
      ),
  },
  {
    kind: exact,
    name: "compare: an output that B lacks",
    right: "exit 1, the output by name",
    before: "same answer 100.00 %, cosine 1, relative error 0; exit 0",
    try: () =>
      onFiles(
        { "a.onnx": scaled(1, ["y", "z"]), "b.onnx": scaled(1) },
        ["compare", "{in}/a.onnx", "{in}/b.onnx", "--rounds", "3"],
        ({ code, stdout }) => ({
          got: stdout.trim().split("\n").at(-1) ?? "",
          ok: code === 1 && stdout.includes('"z" is missing'),
        }),
      ),
  },
  {
    kind: exact,
    name: "an output [1, 1600, 1] as a row of classes",
    right: "no classes: 1 − cosine, relative error",
    before: "same answer 100 % at a relative error of 0.97",
    async try() {
      const dims = [1, 1600, 1];
      const picture = (step: number) =>
        overInput(
          dims.slice(1),
          (g, x) => void g.output(g.op("Mul", [x, g.constant("step", scalar("float32", step))]), "y"),
        );
      const x = tensor(
        "float32",
        dims,
        Float32Array.from({ length: 1600 }, (_, i) => i),
      );
      const { top1, relative } = await agreementOf(picture(1), picture(0.03), x);
      return {
        got: `top1 ${top1 ?? "none"}, relative error ${relative.toFixed(2)}`,
        ok: top1 === undefined && relative > 0.9,
      };
    },
  },
  {
    kind: exact,
    name: "outputs [side, logits]: accuracy",
    right: "of the output that the labels fit: 100 %",
    before: "of the side output: 50 %",
    async try() {
      const two = overInput([3], (g, x) => {
        const [start, end, axis] = [1, 3, 1].map((at) => g.constant("at", int64s([at])));
        g.output(g.op("Slice", [x, start, end, axis]), "side");
        g.output(g.op("Neg", [x]), "logits");
      });
      const x = tensor("float32", [2, 3], Float32Array.of(5, 3, -9, 5, -9, 3));
      const { accuracy } = await agreementOf(two, two, x, [2, 1]);
      return { got: `accuracy ${accuracy?.a ?? "none"}`, ok: accuracy?.a === 1 };
    },
  },
  {
    kind: exact,
    name: "one pass of cleaning that changes the answers",
    right: "left out by name, the others stay",
    before: "the cleaned model was not used, all forms started from the original (as reported)",
    async try() {
      const g = graphBuilder();
      g.output(g.op("Mul", [g.input("x", "float32", ["batch", 3]), g.constant("two", scalar("float32", 2))]), "y");
      const passes = [replacing("right", 2), replacing("wrong", 3)];
      const batches = async function* () {
        yield { feeds: new Map([["x", rows]]) };
      };
      const options = { open: openSession, batches };
      const checked = await runChecked(model(g.build()), (each) => sequential("all", passes.map(each)), options);
      const left = checked.leftOut.map(({ pass }) => pass).join();
      return {
        got: `left out: ${left}; graph of pass ${checked.model.graph.name}`,
        ok: left === "wrong" && checked.model.graph.name === "right",
      };
    },
  },
  {
    kind: exact,
    name: "the build behind a verdict on a provider",
    right: "package and version",
    before: "wasm: agrees (as reported)",
    async try() {
      const got = await runtimeBuild("wasm");
      return { got, ok: /^onnxruntime-web \d/.test(got) };
    },
  },
  {
    kind: structure,
    name: "smallFirst of a network with view(-1, C·H·W)",
    right: "UnsupportedError with the dims",
    before: "accepted; its exit answers [1, 10] for a batch of 4",
    try: () =>
      refusal(() => {
        const viewed = network(random(1), (n) => {
          const x = n.input("input", "float32", ["batch", 1, 8, 8]);
          const maps = conv(n.scope("conv"), x, 4, { kernel: 3, padding: 1 });
          n.output(linear(n.scope("head"), n.op("Reshape", [maps, n.ints([-1, 256])]), 10), "logits");
        });
        return smallFirst(viewed, { size: 4 });
      }),
  },
  {
    kind: structure,
    name: "skipping with experts of one output",
    right: "[2, 1], as dropless",
    before: "[2, 16]",
    async try() {
      const x = tensor("float32", [2, 16], new Float32Array(32).fill(1));
      const { dims } = evaluate(await mixture("skipping", (n, own) => linear(n, own, 1)), new Map([["x", x]])).get(
        "y",
      )!;
      return { got: `[${dims.join(", ")}]`, ok: dims.join() === "2,1" };
    },
  },
  {
    kind: structure,
    name: "an expert that makes other rows of its rows",
    right: "ShapeError with the expert",
    before: "a sum over other numbers of rows, broadcast",
    try: () => refusal(() => mixture("dense", (n, own) => n.op("ReduceMean", [own, n.ints([0])], { keepdims: 1 }))),
  },
];
