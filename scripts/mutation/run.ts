/** @file A run of mutation testing: the mutants of some folders, judged by near tests and then by the others. */
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { baselineOf, type FileBaseline, linesOf } from "./baseline.ts";
import { type Copy, filesOf, makeCopy } from "./copy.ts";
import { mutantsOf } from "./enumerate.ts";
import type { Numbered } from "./instrument.ts";
import { judged, type Verdict } from "./judge.ts";
import type { Mutant } from "./mutant.ts";
import { distance, importsOf, judgesOf } from "./order.ts";
import { type Runner, startRunner } from "./runner.ts";
import { statuses } from "./score.ts";

export interface Settings {
  readonly root: string;
  /** Mutants at a time. */
  readonly lanes: number;
  /** What the tests that judge one mutant may take without it. */
  readonly capMs: number;
  /** Whether only tests near the mutants are asked: those of their folder, and those that import or are named after it. */
  readonly nearOnly: boolean;
  /** Where the verdicts on a mutant are kept. */
  partial(mutant: Mutant): string;
  log(line: string): void;
}

/** Judges the mutants that have no verdict yet. Gives the tests that had to be left out. */
export async function judgeAll(mutants: readonly Mutant[], settings: Settings): Promise<string[]> {
  const { root, lanes, log, nearOnly } = settings;
  const known = verdictsOn(mutants, settings);
  if (mutants.every(({ key }) => known.get(key)?.all !== undefined || (nearOnly && known.has(key)))) return [];
  const numbered = mutants.map((mutant, id) => ({ id, mutant }));
  const files = filesOf(root);
  const copy = makeCopy(root, files, numbered);
  log(`${numbered.length} mutants in ${copy.root}`);
  const imports = importsOfTests(root, files);
  const runners = (bail: number): Runner[] => Array.from({ length: lanes }, () => startRunner(copy.root, bail));
  const [measuring, judging] = [runners(0), runners(1)];
  const stop = (): void => {
    for (const runner of [...measuring, ...judging]) runner.stop();
  };
  process.on("exit", stop);
  try {
    const excluded = await inWaves({ numbered, copy, imports, measuring, judging, settings });
    copy.remove();
    return excluded;
  } finally {
    stop();
    process.off("exit", stop);
  }
}

interface Work {
  readonly numbered: readonly Numbered[];
  readonly copy: Copy;
  readonly imports: ReadonlyMap<string, readonly string[]>;
  /** Runners that run all tests of a file, and those that stop at the first that fails. */
  readonly measuring: readonly Runner[];
  readonly judging: readonly Runner[];
  readonly settings: Settings;
}

async function inWaves(work: Work): Promise<string[]> {
  const { numbered, copy, imports, measuring, settings } = work;
  const mutated = new Set(numbered.map(({ mutant }) => mutant.file));
  const isNear = (file: string): boolean =>
    [...mutated].some((path) => distance(path, { file, imports: imports.get(file) ?? [] }) < 3);
  const all = [...imports.keys()];
  const waves = { near: all.filter(isNear), far: all.filter((file) => !isNear(file)) };
  const excluded: string[] = [];
  for (const wave of settings.nearOnly ? (["near"] as const) : (["near", "far"] as const)) {
    const baselines = await baselineOf(copy, waves[wave], measuring, settings.log);
    excluded.push(...baselines.flatMap((baseline) => baseline.excluded.map((name) => `${baseline.file}: ${name}`)));
    for (const runner of measuring) runner.stop();
    await judgeWave(wave, baselines, work);
  }
  return excluded;
}

async function judgeWave(wave: "near" | "far", baselines: readonly FileBaseline[], work: Work): Promise<void> {
  const { numbered, imports, judging, settings } = work;
  const known = verdictsOn(
    numbered.map(({ mutant }) => mutant),
    settings,
  );
  const waiting = numbered.filter(({ mutant: { key } }) => {
    const status = known.get(key);
    return status?.all === undefined && status?.[wave] === undefined;
  });
  const total = waiting.length;
  await Promise.all(
    judging.map(async (runner) => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const began = performance.now();
        const parts = judgesOf(next.id, next.mutant, baselines, imports);
        const verdict = await judged(next, parts, runner, settings.capMs);
        const seconds = Math.round((performance.now() - began) / 100) / 10;
        const { key } = next.mutant;
        appendFileSync(settings.partial(next.mutant), `${JSON.stringify({ key, wave, ...verdict, seconds })}\n`);
        settings.log(`${wave} ${total - waiting.length} of ${total}: ${verdict.status}, ${seconds} s, ${key}`);
      }
    }),
  );
}

function verdictsOn(mutants: readonly Mutant[], { partial }: Settings): ReturnType<typeof statuses> {
  return statuses([...new Set(mutants.map(partial))].flatMap((path) => linesOf<Verdict>(path)));
}

/** What every test file imports of `src/`. */
function importsOfTests(root: string, files: readonly string[]): Map<string, string[]> {
  const tests = files.filter((file) => /^(src|test)\/.*\.test\.ts$/.test(file));
  return new Map(tests.map((file) => [file, importsOf(file, readFileSync(join(root, file), "utf8"))]));
}

/** Every mutant of the sources of a folder, such as `src/quantize`. */
export function mutantsIn(root: string, folder: string): Mutant[] {
  return filesOf(root)
    .filter((file) => file.startsWith(`${folder}/`) && /\.ts$/.test(file) && !/\.test\.ts$|_pb\.ts$/.test(file))
    .flatMap((file) => mutantsOf(file, readFileSync(join(root, file), "utf8")));
}
