/** @file Models that end their process, run for ever or take all memory: every command answers, and stops when it is told to. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { graphAttribute, graphBuilder, int64s, type Model, model, scalar, tensor } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { litheJson, startLithe } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-limits-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, built: Model): string {
  const path = join(folder, name);
  writeFileSync(path, encodeModel(built));
  return path;
}

/** x + 2^53 times 1. */
function endless(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 8]);
  const body = g.subgraph();
  body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", [1, 8]);
  body.output(body.op("Identity", [go]), "go_on");
  body.output(body.op("Add", [state, body.constant("one", scalar("float32", 1))]), "next");
  const trips = g.constant("trips", tensor("int64", [], BigInt64Array.of(2n ** 53n)));
  g.output(g.op("Loop", [trips, undefined, x], { body: graphAttribute(body.build("body")) }), "y");
  return model(g.build());
}

/** A value that doubles 2^53 times. */
function boundless(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 8]);
  const body = g.subgraph();
  body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", ["n", 8]);
  body.output(body.op("Identity", [go]), "go_on");
  body.output(body.op("Concat", [state, state], { axis: 0n }), "next");
  const trips = g.constant("trips", tensor("int64", [], BigInt64Array.of(2n ** 53n)));
  const grown = g.op("Loop", [trips, undefined, x], { body: graphAttribute(body.build("body")) });
  g.output(g.op("ReduceSum", [grown, g.constant("axes", int64s([0]))]), "y");
  return model(g.build());
}

/** x + INT64_MIN / (−1 − x·0). */
function fatal(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 8]);
  const zero = g.op("Cast", [g.op("Mul", [x, g.constant("none", scalar("float32", 0))])], { to: 7n });
  const minusOne = g.op("Add", [zero, g.constant("minus", int64s([-1]))]);
  const least = g.constant("least", tensor("int64", [1], BigInt64Array.of(-(2n ** 63n))));
  g.output(g.op("Cast", [g.op("Div", [least, minusOne])], { to: 1n }), "y");
  return model(g.build());
}

describe("a command", () => {
  it("ends a run that passes the bound of time", async () => {
    const path = file("endless.onnx", endless());
    const { code, json } = await litheJson(["bench", path, "--time-limit", "1"]);
    expect(code).toBe(1);
    expect(json.error).toMatchObject({
      name: "LimitError",
      where: expect.stringContaining('running model "endless.onnx"'),
    });
    expect(json.error).toMatchObject({ hint: expect.stringContaining("--time-limit") });
  });

  it("ends a run that passes the bound of memory", async () => {
    const path = file("boundless.onnx", boundless());
    const words = ["compare", path, path, "--memory-limit", "500m"];
    const { code, json } = await litheJson(words);
    expect(code).toBe(1);
    expect(json.error).toMatchObject({ where: expect.stringContaining('running model "boundless.onnx"') });
    expect(json.error).toMatchObject({ name: "LimitError", hint: expect.stringContaining("--memory-limit") });
  });

  it("names the signal, the model and the step of a run that kills", async () => {
    const path = file("fatal.onnx", fatal());
    const out = join(folder, "out");
    const { code, json } = await litheJson(["accelerate", path, "--data", "random", "-o", out]);
    expect(code).toBe(1);
    expect(json.error).toMatchObject({
      name: "RuntimeError",
      got: expect.stringContaining("SIGFPE"),
      where: 'running model "fatal.onnx", step "running the original"',
    });
  });

  it("ends at once at the second Ctrl-C, whatever native code is doing", async () => {
    const path = file("endless.onnx", endless());
    const running = startLithe(["accelerate", path, "--data", "random", "--json", "-o", join(folder, "stopped")]);
    await running.matches(/goal latency/);
    running.kill("SIGINT");
    await running.matches(/Stopping/);
    running.kill("SIGINT");
    expect((await running.finished).code).toBe(130);
  });
});
