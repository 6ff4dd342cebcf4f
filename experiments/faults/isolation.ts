/** @file Faults of models that end their process, run for ever or take all memory, and of forms that fail. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { graphAttribute, graphBuilder, int64s, type Model, model, tensor } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { triedInFolder } from "./in-folder.ts";

const endings = "Signals and endless kernels";

/** Seconds that are long for the small models here, and short for whoever waits. */
const LIMIT = "4s";

/** Runs the command line on a case, or on a model that is written first. */
function command(words: readonly string[], judged: (ended: Ended) => Answer, built?: () => Model): Fault["try"] {
  return triedInFolder(async (out, cases) => {
    if (built) await writeFile(join(out, "model.onnx"), encodeModel(built()));
    const placed = words.map((word) => word.replace("{cases}", cases).replace("{out}", out));
    return judged(await runCommand([...placed, "--json"]));
  });
}

/** A named error in JSON whose text fits. */
function answered(words: RegExp): (ended: Ended) => Answer {
  return ({ code, signal, stdout, seconds }) => {
    if (signal || code !== 1) return { got: `exit ${code ?? signal} after ${seconds.toFixed(0)} s`, ok: false };
    const { error } = JSON.parse(stdout) as { error: { name: string; message: string } };
    const got = `${error.name}: ${error.message}`;
    return { got: got.slice(0, 160), ok: words.test(got) };
  };
}

/** x, doubled 2^53 times. */
function growing(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 8]);
  const body = g.subgraph();
  body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", ["n", 8]);
  body.output(body.op("Identity", [go]), "go_on");
  body.output(body.op("Concat", [state, state], { axis: 0n }), "next");
  const trips = g.constant("trips", tensor("int64", [], BigInt64Array.of(2n ** 53n)));
  g.output(g.op("Loop", [trips, undefined, x], { body: graphAttribute(body.build("body")) }), "y");
  return model(g.build());
}

/** INT64_MIN over −1 in a constant, and remainders of the same. */
function remainder(): Model {
  const g = graphBuilder();
  const x = g.input("x", "int64", [1]);
  const least = g.constant("least", tensor("int64", [1], BigInt64Array.of(-(2n ** 63n))));
  const zero = g.op("Mul", [x, g.constant("none", int64s([0]))]);
  g.output(g.op("Mod", [least, g.op("Add", [zero, g.constant("minus", int64s([-1]))])]), "y");
  return model(g.build());
}

const signal = /SIGFPE.*model "signal-division\.onnx"/;
const time = /LimitError: .*took too long.*at most 4 s.*--time-limit/;

function onCase(name: string, words: readonly string[], before: string, right: string, fits: RegExp): Fault {
  const bounded = [...words, "--time-limit", LIMIT];
  return { kind: endings, name: `${name}: ${words[0]}`, right, before, try: command(bounded, answered(fits)) };
}

const signals = ["bench", "compare", "quantize", "accelerate"].map((verb) =>
  onCase(
    "signal-division.onnx",
    wordsOf(verb, "{cases}/signal-division.onnx"),
    verb === "bench" ? "exit 13 without a word" : "the process died by SIGFPE",
    "a named error with the model and the signal",
    signal,
  ),
);

const endless = ["endless-loop", "endless-constant-loop"].flatMap((name) =>
  ["bench", "compare", "quantize", "accelerate"].map((verb) =>
    onCase(`${name}.onnx`, wordsOf(verb, `{cases}/${name}.onnx`), "never ended", "a LimitError with the flag", time),
  ),
);

function wordsOf(verb: string, path: string): readonly string[] {
  if (verb === "bench") return [verb, path];
  if (verb === "compare") return [verb, path, path];
  if (verb === "quantize") return [verb, path, "--form", "dynamic", "--data", "random", "-o", "{out}/out.onnx"];
  return [verb, path, "--data", "random", "-o", "{out}/run"];
}

export const isolationFaults: readonly Fault[] = [
  ...signals,
  ...endless,
  {
    kind: endings,
    name: "a Loop that doubles its state for ever: bench",
    right: "a LimitError with the flag",
    before: "memory had no bound",
    try: command(
      ["bench", "{out}/model.onnx", "--memory-limit", "800m"],
      answered(/LimitError: .*memory.*--memory-limit/),
      growing,
    ),
  },
  {
    kind: endings,
    name: "INT64_MIN mod −1: a session of the library",
    right: "a RuntimeError with the signal, and the program goes on",
    before: "the program died by SIGFPE",
    async try() {
      await using session = await openSession(remainder(), { name: "remainder" });
      const feeds = new Map([["x", int64s([3])]]);
      const got = await session.run(feeds).then(
        (values) => `answered ${values.size}`,
        (error: Error) => `${error.name}: ${error.message}`,
      );
      return { got: got.slice(0, 160), ok: /SIGFPE.*"remainder"|answered 1/.test(got) };
    },
  },
];
