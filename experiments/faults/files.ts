/** @file Faults of files and of values where they enter: labels, feeds, outputs, checkpoints. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { triedInFolder } from "./in-folder.ts";

/** Runs the command line in a folder of its own; `{cases}` and `{out}` stand for the inputs and that folder. */
function command(words: readonly string[], judged: (ended: Ended) => Answer): Fault["try"] {
  return triedInFolder(async (out, cases) =>
    judged(await runCommand(words.map((word) => word.replace("{cases}", cases).replace("{out}", out)))),
  );
}

/** Refused by a named error whose text fits. */
function refused(words: RegExp): (ended: Ended) => Answer {
  return ({ code, stderr }) => {
    const message = stderr.trim().split("\n").at(-1) ?? "";
    return { got: message.slice(0, 160), ok: code !== 0 && /^\w+Error: /.test(message) && words.test(message) };
  };
}

/** Words for 100 points of two classes, which are written. */
async function pointsIn(folder: string): Promise<readonly string[]> {
  const data = join(folder, "points.csv");
  const rows = Array.from({ length: 100 }, (_, i) => `${Math.sin(12.9 * i)},${Math.cos(78.2 * i)},${i % 2}`);
  await writeFile(data, ["a,b,label", ...rows].join("\n"));
  return ["--data", data, "--labels", "label"];
}

const values = "Values where they enter";
const outputs = "Outputs";

export const fileFaults: readonly Fault[] = [
  {
    kind: outputs,
    name: "quantize -o /dev/null",
    right: "an error; the device stays",
    before: "the device became a regular file",
    try: command(
      ["quantize", "{cases}/labels.onnx", "--form", "float16", "-o", "/dev/null"],
      refused(/cannot be written where a device is/),
    ),
  },
  {
    kind: outputs,
    name: "quantize -o /proc/foo/m.onnx",
    right: "an error at once",
    before: "never ended",
    try: command(
      ["quantize", "{cases}/labels.onnx", "--form", "float16", "-o", "/proc/foo/m.onnx"],
      refused(/cannot make the folder/),
    ),
  },
  {
    kind: outputs,
    name: "quantize -o with a name of 300 characters",
    right: "an error with the path",
    before: "PathError: the place for the result cannot be looked at, without saying why",
    try: command(
      ["quantize", "{cases}/labels.onnx", "--form", "float16", "-o", `{out}/${"n".repeat(300)}.onnx`],
      refused(/the name is too long/),
    ),
  },
  {
    kind: outputs,
    name: "quantize -o with a name of 250 characters, which the system allows",
    right: "written",
    before: "InternalError: ENAMETOOLONG, for the temporary name",
    try: command(
      ["quantize", "{cases}/labels.onnx", "--form", "float16", "-o", `{out}/${"n".repeat(245)}.onnx`],
      ({ code, stdout, stderr }) => ({
        got: code === 0 ? "written" : (stderr.trim().split("\n").at(-1)?.slice(0, 160) ?? ""),
        ok: code === 0 && stdout.includes("model: "),
      }),
    ),
  },
  {
    kind: outputs,
    name: "train --resume on an empty run.json",
    right: "an error; nothing is changed",
    before: "started anew over the old run",
    try: triedInFolder(async (out) => {
      await writeFile(join(out, "run.json"), "");
      const words = ["train", "--model", "mlp", ...(await pointsIn(out)), "--epochs", "1", "-o", out, "--resume"];
      return refused(/record of the run is damaged/)(await runCommand(words));
    }),
  },
  {
    kind: values,
    name: "random-lengths.onnx: bench without data",
    right: "lengths within the sequence",
    before: "RuntimeError: Invalid value/s in sequence_lens",
    try: command(["bench", "{cases}/random-lengths.onnx", "--rounds", "5"], ({ code, stderr, stdout }) => ({
      got: `exit ${code}: ${(stdout || stderr).trim().split("\n")[0] ?? ""}`,
      ok: code === 0,
    })),
  },
  {
    kind: values,
    name: "labels-minus-one.npz: train a file",
    right: "an error with the sample and the range 0 to 2",
    before: "-1 trained as the last class: accuracy 0.80, exit 0",
    try: command(
      ["train", "--model", "{cases}/labels.onnx", "--data", "{cases}/labels-minus-one.npz", "-o", "{out}/run"],
      refused(/from 0 to 2; got -1; at sample labels-minus-one\.npz#\d+/),
    ),
  },
  {
    kind: values,
    name: "labels-minus-one.npz: accuracy of compare",
    right: "an error with the sample and the range 0 to 2",
    before: "accuracy 16.00 % → 16.00 %",
    try: command(
      ["compare", "{cases}/labels.onnx", "{cases}/labels.onnx", "--data", "{cases}/labels-minus-one.npz"],
      refused(/from 0 to 2; got -1; at sample/),
    ),
  },
  {
    kind: values,
    name: "labels-minus-one.csv: train mlp",
    right: "an error that proposes 0 and 1",
    before: "accuracy 0.60, exit 0",
    try: command(
      ["train", "--model", "mlp", "--data", "{cases}/labels-minus-one.csv", "--labels", "label", "-o", "{out}/run"],
      refused(/got -1; at sample .*as 0 and 1/),
    ),
  },
  {
    kind: values,
    name: "regression.csv: train mlp --loss meanSquaredError",
    right: "a network with one output",
    before: "ShapeError: a tensor's data does not fill its dims; expected 1562 bytes for float32[390.5]",
    try: command(
      [
        "train",
        "--model",
        "mlp",
        "--data",
        "{cases}/regression.csv",
        "--labels",
        "t",
        "--loss",
        "meanSquaredError",
      ].concat(["--epochs", "1", "-o", "{out}/run"]),
      ({ code, stdout }) => ({ got: `exit ${code}: ${stdout.trim().split("\n")[0] ?? ""}`, ok: code === 0 }),
    ),
  },
  {
    kind: values,
    name: "regression.csv: train mlp without a loss",
    right: "an error that proposes a loss for numbers",
    before: "ShapeError: a tensor's data does not fill its dims; expected 1562 bytes for float32[390.5]",
    try: command(
      ["train", "--model", "mlp", "--data", "{cases}/regression.csv", "--labels", "t", "-o", "{out}/run"],
      refused(/at sample .*meanSquaredError/),
    ),
  },
];
