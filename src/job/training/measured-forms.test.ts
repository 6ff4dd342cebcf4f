/** @file The form table of a run is measured once, and read where the run goes on. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { random } from "../../data/index.ts";
import { conv, globalAveragePool, network } from "../../nn/index.ts";
import { openRunFolder } from "../../report/index.ts";
import { formsMeasured } from "./measured-forms.ts";

const folder = await mkdtemp(join(tmpdir(), "litheml-forms-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const net = network(random(1), (n) => {
  const x = n.input("input", "float32", ["batch", 3, 6, 6]);
  n.output(globalAveragePool(n, conv(n.scope("conv"), x, 2, { kernel: 3 })), "logits");
});

it("keeps the table in the run folder and does not measure again", async () => {
  const races: number[] = [];
  const race = async (contenders: readonly unknown[]) => {
    races.push(contenders.length);
    return contenders.map((_, i) => ({ p50: contenders.length - i }));
  };
  const said: string[] = [];
  const console = { signal: new AbortController().signal, progress: () => undefined, say: (x: string) => said.push(x) };
  const options = { loss: "crossEntropy", optimizer: "sgd", batch: 2, race } as const;
  const asked = async (resume: boolean) => {
    await using run = await openRunFolder(folder, { command: "train" }, { resume });
    return await formsMeasured(net, options, run, console);
  };
  const first = await asked(false);
  expect(races.length).toBe(1);
  expect(said).toEqual(["forms measured for 1 gradients of convolutions"]);
  const { rows, batch } = JSON.parse(await readFile(join(folder, "gradient-forms.json"), "utf8"));
  expect(batch).toBe(2);
  const second = await asked(true);
  expect(races.length).toBe(1);
  const { geometry } = rows[0];
  expect(first.conv.weight(geometry)).toEqual(Object.keys(rows[0].times).toReversed());
  expect(second.conv.weight(geometry)).toEqual(first.conv.weight(geometry));
});
