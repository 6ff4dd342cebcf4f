/** @file What runs a model cannot forget the bounds: there is one way to the runtime, and every command leads to it. */
import { expect, it } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { withLimits } from "../../src/cli/limits.ts";
import { fieldsOf } from "../../src/settings/index.ts";
import { sourcesIn } from "./sources.ts";

const sources = sourcesIn("src");

function pathsWith(pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
}

it("only sessions start threads and processes that load the runtime", () => {
  expect(pathsWith(/threadChannel[<(]/)).toEqual([
    "src/runtime/node/channels.ts",
    "src/runtime/node/group-process.ts",
    "src/runtime/node/group.ts",
    "src/runtime/node/open.ts",
  ]);
  expect(pathsWith(/node:child_process/)).toEqual(["src/runtime/node/child.ts", "src/runtime/node/chromium.ts"]);
});

it("nothing in lithe opens a session in its own process", () => {
  expect(pathsWith(/isolate: "thread"[,\s]*\}?\)/)).toEqual([]);
});

it("every command that runs a model takes bounds", async () => {
  const without = Object.entries(commands).filter(([, { runsNothing }]) => runsNothing);
  expect(without.map(([name]) => name)).toEqual(["launch", "report"]);
  for (const { load, runsNothing } of Object.values(commands)) {
    if (runsNothing) continue;
    const flags = fieldsOf(withLimits(await load()).settings).map(({ facts }) => facts.flag);
    expect(flags).toEqual(expect.arrayContaining(["--time-limit", "--memory-limit"]));
  }
});

it("commands that run nothing import no runtime to run it", () => {
  const texts = ["job/model/inspection", "cli/report"].map((name) =>
    sources.find(({ path }) => path === `src/${name}.ts`),
  );
  for (const source of texts) expect(source!.text).not.toMatch(/openSession|accelerate\/index|train\/index/);
});
