/** @file Faults of what runs leave in folders: two runs in one, files of a killed one, checkpoints that no run has written, a full disk. */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { graphBuilder, model, type Tensor } from "../../src/ir/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { triedInFolder } from "./in-folder.ts";

const kind = "Folders of runs";

/** Words that train on 100 points of these classes, which are written first. */
async function trainingIn(
  folder: string,
  epochs = 1,
  label: (i: number) => number | string = (i) => i % 2,
): Promise<readonly string[]> {
  const data = join(folder, "points.csv");
  const rows = Array.from({ length: 100 }, (_, i) => `${Math.sin(12.9 * i)},${Math.cos(78.2 * i)},${label(i)}`);
  await writeFile(data, ["a,b,label", ...rows].join("\n"));
  const words = ["train", "--model", "mlp", "--data", data, "--labels", "label", "--epochs", `${epochs}`];
  return [...words, "-o", join(folder, "run")];
}

function refused({ code, signal, stderr }: Ended, words: RegExp): Answer {
  const message = stderr.trim().split("\n").at(-1) ?? "";
  const got = `exit ${code ?? signal}: ${message}`.slice(0, 160);
  return { got, ok: code === 1 && /^(?!Internal)\w+Error: /.test(message) && words.test(message) };
}

/** Two processes with the same words. */
async function atOnce(words: readonly string[]): Promise<Answer> {
  const both = await Promise.all([runCommand(words), runCommand(words)]);
  const refusals = both.filter(({ stderr }) => /another run works in this folder/.test(stderr));
  const codes = both.map(({ code, signal }) => code ?? signal).sort();
  return {
    got: `exits ${codes.join(" and ")}, ${refusals.length} refused`,
    ok: codes.join() === "0,2" && refusals.length === 1,
  };
}

/** Resumes a run whose checkpoint says something else. */
function changedCheckpoint(change: object, words: RegExp): Fault["try"] {
  return triedInFolder(async (folder) => {
    const training = await trainingIn(folder);
    await runCommand(training);
    const path = join(folder, "run", "checkpoints", "checkpoint.json");
    const facts = JSON.parse(await readFile(path, "utf8")) as object;
    await writeFile(path, JSON.stringify({ ...facts, ...change }));
    return refused(await runCommand([...training, "--resume"]), words);
  });
}

/** Half a file of a writer that was ended, as both builds name it, in the folder of a run. */
async function leaveBehind(run: string): Promise<void> {
  for (const name of [".run.json.0123456789ab.tmp", ".report.json.ba9876543210.tmp"]) {
    await writeFile(join(run, name), "{");
  }
}

export const folderFaults: readonly Fault[] = [
  {
    kind,
    name: "two processes train into one folder at once",
    right: "one is refused, since the other works there",
    before: "both went on, without a word",
    try: triedInFolder(async (folder) => {
      const training = await trainingIn(folder, 60);
      return atOnce(training);
    }),
  },
  ...["accelerate", "finetune"].map(
    (verb): Fault => ({
      kind,
      name: `two processes ${verb} into one folder at once`,
      right: "one is refused, since the other works there",
      before: "both went on, without a word",
      try: triedInFolder(async (folder) => {
        const training = await trainingIn(folder);
        await runCommand(training);
        const data = ["--data", join(folder, "points.csv"), "--labels", "label"];
        const epochs = verb === "finetune" ? ["--epochs", "200"] : [];
        const trained = join(folder, "run", "mlp_trained.onnx");
        return atOnce([verb, trained, ...data, ...epochs, "-o", join(folder, "second")]);
      }),
    }),
  ),
  {
    kind,
    name: "train --resume where a killed run left its lock and halves of files",
    right: "goes on, and both are gone",
    before: "went on; the halves stayed, and nothing had been locked",
    try: triedInFolder(async (folder) => {
      const training = await trainingIn(folder, 100_000);
      await runCommand(training, 10);
      await leaveBehind(join(folder, "run"));
      const short = [...training.slice(0, -1), join(folder, "run"), "--resume"];
      const ended = await runCommand(short, 10);
      const left = (await readdir(join(folder, "run"))).filter((name) => name.endsWith(".tmp"));
      const hasGoneOn = ended.signal === "SIGKILL" && /"done"/.test(ended.stderr);
      return {
        got: `${hasGoneOn ? "goes on" : "ended"}; ${left.length} halves left`,
        ok: hasGoneOn && left.length === 0,
      };
    }),
  },
  {
    kind,
    name: "train --resume from a checkpoint of step 1e15",
    right: "refused, with the last step of the run",
    before: "went on, exit 0",
    try: changedCheckpoint({ step: 1e15 }, /a step up to \d+; got 1000000000000000/),
  },
  {
    kind,
    name: "train --resume from a checkpoint of version 2",
    right: "refused, with the version",
    before: "FormatError: the checkpoint is malformed, without the version",
    try: changedCheckpoint({ version: 2 }, /another version; expected version 1; got 2/),
  },
  {
    kind,
    name: "quantize -o on a full disk",
    right: "an error with the path, and what to do",
    before: "InternalError: ENOSPC: no space left on device, without the path",
    try: triedInFolder(async (folder, cases) => {
      const disk = join(folder, "disk");
      await mkdir(disk);
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], { stdio: "ignore" });
      } catch {
        return { got: "not tried: no small disk can be mounted here", ok: false };
      }
      try {
        await writeFile(join(disk, "full"), new Uint8Array(4096));
        const words = ["quantize", join(cases, "labels.onnx"), "--form", "float16", "-o", join(disk, "m.onnx")];
        return refused(await runCommand(words), /the disk is full; got ENOSPC; at .*m\.onnx/);
      } finally {
        execFileSync("umount", [disk]);
      }
    }),
  },
  ...[
    ["0.5", "trained, exit 0"],
    ["-100", "RuntimeError from a GatherElements of the loss, without the sample"],
    ["NaN", "trained, exit 0"],
  ].map(
    ([label, before]): Fault => ({
      kind: "Values where they enter",
      name: `a label ${label} among 0 and 1: train mlp`,
      right: "an error with the sample",
      before: before!,
      try: triedInFolder(async (folder) => {
        const training = await trainingIn(folder, 1, (i) => (i === 7 ? label! : i % 2));
        return refused(await runCommand(training), /row 8|#7|sample/);
      }),
    }),
  ),
  {
    kind: "Values where they enter",
    name: "a label 500001 among 0 and 1: train mlp",
    right: "an error that proposes a loss for numbers",
    before: "500,002 classes: 128,501,282 numbers were trained for 41 s, exit 0",
    try: triedInFolder(async (folder) => {
      const training = await trainingIn(folder, 1, (i) => (i === 7 ? 500_001 : i % 2));
      return refused(await runCommand(training), /500001\. .*meanSquaredError/);
    }),
  },
  {
    kind: "Values where they enter",
    name: "`undefined` as a feed",
    right: "a DataError with the input",
    before: "TypeError: Cannot destructure property 'dtype' of 'undefined'",
    async try() {
      const g = graphBuilder();
      g.output(g.op("Relu", [g.input("x", "float32", [1, 2])]), "y");
      await using session = await openSession(model(g.build()));
      const feeds = new Map([["x", undefined as unknown as Tensor]]);
      const got = await session.run(feeds).then(String, (error: Error) => `${error.name}: ${error.message}`);
      return { got: got.slice(0, 160), ok: /^DataError: .*at input "x"/.test(got) };
    },
  },
];
