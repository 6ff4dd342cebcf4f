/** @file `lithe prune` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeModel } from "../../src/onnx/index.ts";
import { denseModel } from "../models.ts";
import { pointNetwork, points } from "./points.ts";
import { litheJson, startLithe } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-prune-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "flat.onnx"), encodeModel(denseModel()));
  await writeFile(join(folder, "points.jsonl"), points(200));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "60", "--batch", "20"];

describe("lithe prune", () => {
  it("halves a layer, and wins accuracy back by distillation", async () => {
    const half = ["dense.onnx", "--target-macs", "0.5", "--round", "8", "--allow-slower", ...data];
    const before = await litheJson(["prune", ...half, "-o", "narrow.onnx"], { cwd: folder });
    const learned = ["--finetune", "40", "--learning-rate", "0.01", "--train-batch", "20", "-o", "learned.onnx"];
    const after = await litheJson(["prune", ...half, ...learned], { cwd: folder });
    expect([before.code, after.code]).toEqual([0, 0]);
    expect(after.json).toMatchObject({
      ...{ macs: { before: 144, after: 72 }, training: { samples: 100, epochs: 40 }, file: "learned.onnx" },
      widths: [
        { before: 16, after: 8, held: [] },
        { before: 3, after: 3, held: ["it is an output of the model"] },
      ],
    });
    const [pruned, recovered] = [before, after].map(
      ({ json }) => (json as unknown as { accuracy: { b: number } }).accuracy.b,
    );
    expect(pruned).toBeLessThan(1);
    expect(recovered).toBeGreaterThan(pruned!);
    const page = await readFile(join(folder, "learned-run/report.html"), "utf8");
    expect(page).toContain("1 of 2 widths narrowed: 2.00× fewer multiply-accumulates");
  });

  it.each(["fisher", "apoz", "wanda"])("takes what %s says of the samples", async (criterion) => {
    const words = ["--ratio", "0.5", "--round", "1", "--allow-slower", "--criterion", criterion, ...data];
    const { code, json } = await litheJson(["prune", "dense.onnx", ...words, "-o", `${criterion}.onnx`], {
      cwd: folder,
    });
    expect([code, json.widths]).toEqual([0, [expect.objectContaining({ after: 8 }), expect.anything()]]);
    const missing = await litheJson(["prune", "dense.onnx", "--ratio", "0.5", "--criterion", criterion], {
      cwd: folder,
    });
    expect([missing.code, JSON.stringify(missing.json)]).toEqual([2, expect.stringMatching(/needs data/)]);
  });

  it("goes the way in rounds, each with a recovery, and goes on where it was", async () => {
    const way = ["--ratio", "0.5", "--round", "1", "--allow-slower", "--criterion", "taylor", "--limit", "*=0.9"];
    const learning = ["--rounds", "2", "--finetune", "40", "--learning-rate", "0.01", "--train-batch", "10"];
    const job = ["prune", "dense.onnx", ...way, ...data, ...learning];
    const whole = await litheJson([...job, "-o", "whole.onnx"], { cwd: folder });
    expect(whole.code).toBe(0);
    expect(whole.json).toMatchObject({ macs: { before: 144, after: 72 }, widths: [{ before: 16, after: 8 }, {}] });
    const rounds = whole.json.rounds as unknown as readonly {
      readonly widths: readonly { readonly after: number }[];
      readonly pruned: { readonly accuracy: number };
      readonly recovered: { readonly accuracy: number };
    }[];
    expect(rounds.map(({ widths }) => widths[0]!.after)).toEqual([12, 8]);
    for (const { pruned, recovered } of rounds) {
      expect(pruned.accuracy).toBeLessThanOrEqual(1);
      expect(recovered.accuracy).toBeGreaterThan(0.6);
    }
    const page = await readFile(join(folder, "whole-run/report.html"), "utf8");
    for (const title of ["Widths by round", "Rounds, with the answers"]) expect(page).toContain(title);

    const running = startLithe([...job, "-o", "part.onnx", "--json"], { cwd: folder });
    await running.matches(/round 1 of 2/);
    running.kill("SIGINT");
    expect((await running.finished).code).toBe(130);
    const rest = await litheJson([...job, "-o", "part.onnx", "--resume"], { cwd: folder });
    expect(rest.code).toBe(0);
    const [one, other] = await Promise.all(["whole", "part"].map((name) => readFile(join(folder, `${name}.onnx`))));
    expect(one!.equals(other!)).toBe(true);
    const events = (await readFile(join(folder, "part-run/events.jsonl"), "utf8")).trim().split("\n");
    const starts = events.map((line) => JSON.parse(line)).filter(({ type }) => type === "start");
    expect(starts.length).toBeLessThan(4);
  });

  it.each([
    [["dense.onnx", "--ratio", "0.5", "--rounds", "2"], 2, /--rounds has nothing to do.*--finetune/],
    [["dense.onnx", "--drop-blocks", "1", "--rounds", "2", "--finetune", "1", ...data], 2, /rounds have no way to go/],
    [["dense.onnx", "--ratio", "0.5", "--most-error", "1"], 2, /--most-error has nothing to do.*--ranking sensitivity/],
    [["dense.onnx", "--ratio", "0.5", "--limit", "x=2"], 2, /list such as head=0\.2/],
    [["dense.onnx", "--ratio", "0.5", "--limit", "*=0.1", "--round", "8"], 2, /multiple of 8/],
    [["dense.onnx"], 2, /one of --ratio SHARE, --target-macs SHARE and --target-latency SHARE/],
    [["dense.onnx", "--ratio", "0.5", "--target-macs", "0.5"], 2, /got.*2 of them/],
    [["dense.onnx", "--ratio", "0.3", "--round", "8"], 2, /multiple of 8/],
    [["dense.onnx", "--target-macs", "0.01", "--round", "8"], 2, /cannot be reached.*at least 0\.500/],
    [["dense.onnx", "--ratio", "0.5", "--exclude", "nosuch"], 2, /matches no node/],
    [["flat.onnx", "--ratio", "0.5"], 2, /no layer of the model can be narrowed.*output of the model/],
    [["dense.onnx", "--ratio", "0.5", "--finetune", "1"], 2, /--finetune needs data/],
    [["dense.onnx", "--drop-blocks", "1"], 2, /--drop-blocks needs data/],
    [["dense.onnx", "--drop-blocks", "1", ...data], 2, /so many blocks cannot go.*there is none/],
    [["dense.onnx", "--ratio", "0.5", "--dry-run"], 0, /"dryRun":true/],
    [["dense.onnx", "--target-latency", "0.5", "--dry-run"], 0, /"before":16,"after":8/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["prune", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
