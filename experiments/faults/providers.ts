/** @file Faults of verdicts on WebGPU: those of another build than the one that is deployed, and what its browser left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Model } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { convolutionModel, dispatchModel } from "../../test/models.ts";
import { chromium, swiftshader } from "../../test/swiftshader.ts";
import { runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { inFolder } from "./in-folder.ts";

const kind = "Providers";

/** Compares a model with itself on webgpu; what is right is a named error. */
function refusedOnWebgpu(model: Model, words: RegExp): Promise<Answer> {
  return inFolder(async (folder) => {
    const path = join(folder, "a.onnx");
    await writeFile(path, encodeModel(model));
    const options = ["--ep", "webgpu", "--rounds", "3", "--json"];
    const { code, signal, stdout } = await runCommand(["compare", path, path, ...options], 120, undefined, swiftshader);
    const { error, agreement } = JSON.parse(stdout || "{}") as {
      readonly error?: { readonly name: string; readonly message: string; readonly where: string };
      readonly agreement?: { readonly relative: number };
    };
    if (!error) return { got: `exit ${code ?? signal}, relative error ${agreement?.relative}`, ok: false };
    return { got: `exit ${code}, ${error.name} at ${error.where}`, ok: code === 1 && words.test(error.message) };
  });
}

/** A program that has a page open when it has said so. */
function withPage(place: string, then: string) {
  const body = `
    import { judgeOf } from "./dist/runtime/index.js";
    const judge = await judgeOf("webgpu");
    console.log(judge.build);
    ${then}`;
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  const env = { ...process.env, TMPDIR: place };
  return spawn(process.execPath, ["--input-type=module", "-e", body], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

async function leftByKilled(place: string): Promise<Answer> {
  const killed = withPage(place, "setInterval(() => undefined, 1000);");
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await sleep(3000);
  const next = withPage(place, "await judge[Symbol.asyncDispose]();");
  await once(next, "close");
  const left = await readdir(place);
  const names = left.map((name) => name.replace(/[-.][^-.]{6}$/, "-…"));
  return { got: left.length === 0 ? "nothing" : names.join(", "), ok: left.length === 0 };
}

const rows: readonly Fault[] = [
  {
    kind,
    name: "compare --ep webgpu of a dispatch in float64",
    right: "exit 1: the web build cannot load it",
    before: "agrees, by Node's build (as reported)",
    try: () => refusedOnWebgpu(dispatchModel(), /Cast.*onnxruntime-web/s),
  },
  {
    kind,
    name: "compare --ep webgpu of a convolution with 6 input channels",
    right: "exit 1, the node",
    before: "agrees to 5e-7, and a page is off by 0.57 to 1.0 (as reported)",
    try: () => refusedOnWebgpu(convolutionModel(6), /compute this convolution wrongly.*Conv/s),
  },
  {
    kind,
    name: "the temporary folder after a program with a page open was killed and another has run",
    right: "nothing of them",
    before:
      "no page was opened; the first build that did left the browser's profile, and a folder of its own of every browser",
    try: () => inFolder(leftByKilled, "f-"),
  },
];

/** Rows that only a machine with Chromium can try. */
export const providerFaults: readonly Fault[] = chromium !== undefined && swiftshader !== undefined ? rows : [];
