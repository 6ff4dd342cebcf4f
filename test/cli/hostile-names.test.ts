/** @file Names that would write to a terminal or into a page, through every command that prints them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { graphBuilder, model, tensor } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { lithe } from "./run.ts";

const HOSTILE = "\nFAKE\r\u001b[2J\u009b\u202e\u2028\u0007<img src=x onerror=alert(1)>\"'&";

/** What a terminal obeys or hides; tabs and ends of lines are the command's own. */
const raw = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|^FAKE/m;

let cwd = "";

function hostileModel(): Uint8Array {
  const g = graphBuilder();
  const name = (text: string) => `${text}${HOSTILE}`;
  const weights = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(1.7 * i));
  const x = g.input(name("x"), "float32", [name("batch"), 16]);
  const first = g.constant(name("w"), tensor("float32", [16, 64], weights(1024)));
  const hidden = g.op("Relu", [g.op("MatMul", [x, first], {}, { name: name("n") })]);
  const second = g.constant(name("v"), tensor("float32", [64, 5], weights(320)));
  g.output(g.op("MatMul", [hidden, second], {}, { name: name("m") }), name("y"));
  return encodeModel(model(g.build(name("graph")), { producerName: name("producer"), producerVersion: HOSTILE }));
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "lithe-hostile-"));
  await writeFile(join(cwd, "net.onnx"), hostileModel());
  await writeFile(join(cwd, "broken.onnx"), HOSTILE);
});
afterAll(() => rm(cwd, { recursive: true }));

it.each([
  "inspect net.onnx",
  "inspect net.onnx --json",
  "inspect broken.onnx",
  "bench net.onnx --rounds 5",
  "bench net.onnx --rounds 5 --json",
  "compare net.onnx net.onnx --rounds 5",
  "quantize net.onnx --form dynamic --data random -o small.onnx",
  "quantize net.onnx --form dynamic --data random -o small.onnx --json",
  `inspect absent${HOSTILE}.onnx`,
  `bench net.onnx --ep ${HOSTILE}`,
])("prints names as text: %j", async (words) => {
  const { stdout, stderr } = await lithe(words.split(/ (?=\S)(?![^<]*>)/), { cwd });
  expect(raw.exec(stdout)).toBeNull();
  expect(raw.exec(stderr)).toBeNull();
  expect(`${stdout}${stderr}`).not.toBe("");
});

it("writes names into a page as text", async () => {
  const words = "accelerate net.onnx --data random --budget 2s --check-ep none -o run".split(" ");
  const made = await lithe(words, { cwd });
  const again = await lithe(["report", "run", "-o", "again.html"], { cwd });
  expect([made.code, again.code, made.stderr]).toEqual([0, 0, expect.any(String)]);
  for (const text of [made.stdout, made.stderr, again.stdout, again.stderr]) expect(raw.exec(text)).toBeNull();
  for (const page of ["run/report.html", "again.html"]) {
    const html = await readFile(join(cwd, page), "utf8");
    expect(html).toContain("FAKE");
    expect(html).not.toMatch(/<img|<script/);
  }
});
