/** @file The manifest: one line per case, `name: passed checks; failed check: reason; …`. */
import { type CheckName, checkNames, type Failures } from "./checks.ts";

export type Manifest = ReadonlyMap<string, Failures>;

const HEAD = `# Conformance cases of ONNX: the checks that pass, and why the others do not.
# Written by scripts/conformance.ts --update; a check that is listed as passing must pass.
`;

export function formatManifest(manifest: Manifest): string {
  return `${HEAD}${[...manifest].map(([name, failures]) => `${name}: ${formatFailures(failures)}`).join("\n")}\n`;
}

function formatFailures(failures: Failures): string {
  const passed = checkNames.filter((check) => !failures.has(check));
  const words = failures.size === 0 ? "all" : passed.join(" ");
  return [words, ...[...failures].map(([check, reason]) => `${check}: ${reason}`)].join("; ");
}

export function parseManifest(text: string): Manifest {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [head = "", ...rest] = line.split("; ");
      const reasons = rest.map((part) => {
        const [check = "", ...words] = part.split(": ");
        return [check as CheckName, words.join(": ")] as const;
      });
      return [head.slice(0, head.indexOf(": ")), new Map(reasons)];
    }),
  );
}

export interface Counts {
  readonly cases: number;
  readonly passed: Readonly<Record<CheckName, number>>;
}

/** How many cases pass each check: all of them, and those of each suite. */
export function countsOf(manifest: Manifest): { readonly all: Counts; readonly suites: Record<string, Counts> } {
  const suites = new Set([...manifest.keys()].map((name) => name.split("/")[0]!));
  const count = (entries: readonly Failures[]): Counts => ({
    cases: entries.length,
    passed: Object.fromEntries(
      checkNames.map((check) => [check, entries.filter((failures) => !failures.has(check)).length]),
    ) as Record<CheckName, number>,
  });
  const of = (suite: string): readonly Failures[] =>
    [...manifest].filter(([name]) => name.startsWith(`${suite}/`)).map(([, failures]) => failures);
  return {
    all: count([...manifest.values()]),
    suites: Object.fromEntries([...suites].map((suite) => [suite, count(of(suite))])),
  };
}
