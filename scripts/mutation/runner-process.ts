/** @file The process that runs tests of the copy, in which it was started: Vitest starts once and runs one order after another. */
import { createVitest, type TestModule, type Vitest } from "vitest/node";
import type { Answer, Order, TestAnswer } from "./runner.ts";

const bail = Number(process.argv[2]);
const quiet = { onInit: () => undefined };

/** Keeps the order that was asked for. */
class AsAsked {
  shard<T>(specifications: T[]): T[] {
    return specifications;
  }
  sort<T>(specifications: T[]): T[] {
    return specifications;
  }
}

let running: Promise<Vitest> | undefined;

async function start(): Promise<Vitest> {
  const vitest = await createVitest(
    "test",
    {
      root: process.cwd(),
      watch: false,
      bail,
      maxWorkers: 1,
      reporters: [quiet],
      sequence: { sequencer: AsAsked as never },
    },
    { cacheDir: `${process.cwd()}/../cache`, test: { setupFiles: ["scripts/mutation/in-test.ts"] } } as object,
  );
  await vitest.standalone();
  return vitest;
}

async function obey({ files, env }: Order): Promise<Answer> {
  running ??= start();
  const vitest = await running;
  Object.assign(process.env, env);
  // What failed before does not count towards the bail of this run.
  vitest.state.filesMap.clear();
  vitest.state.idMap.clear();
  const project = vitest.getRootProject();
  const specifications = files.map(({ file, tests }) =>
    project.createSpecification(`${process.cwd()}/${file}`, tests ? { testIds: [...tests] } : undefined),
  );
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  return { files: testModules.map(answerOf), errors: unhandledErrors.map(textOf) };
}

function answerOf(module: TestModule): Answer["files"][number] {
  const { environmentSetupDuration, prepareDuration, collectDuration, setupDuration } = module.diagnostic();
  const tests: TestAnswer[] = [...module.children.allTests()].map((test) => ({
    id: test.id,
    name: test.fullName,
    state: test.result().state,
    ms: test.diagnostic()?.duration ?? 0,
  }));
  return {
    file: module.relativeModuleId,
    failed: module.state() === "failed",
    overheadMs: environmentSetupDuration + prepareDuration + collectDuration + setupDuration,
    errors: module.errors().map(textOf),
    tests,
  };
}

function textOf(error: unknown): string {
  return String((error as { readonly message?: unknown }).message ?? error).slice(0, 500);
}

process.on("message", async (order: Order) => {
  process.send!(await obey(order).catch((error: unknown) => ({ files: [], errors: [textOf(error)] })));
});
process.on("disconnect", () => process.exit());
