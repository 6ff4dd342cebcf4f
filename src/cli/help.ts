/** @file How the help of a command is laid out: options in groups, then examples. */
import type { Field } from "../settings/index.ts";

/** Which group an option stands in, by its name; the others are what the command itself is about. */
const groups: readonly (readonly [title: string, names: ReadonlySet<string>])[] = [
  [
    "Data:",
    new Set(
      "data preset preprocess labels columns missing task calibrationSamples evalSamples validation augment workers".split(
        " ",
      ),
    ),
  ],
  [
    "Execution:",
    new Set("ep threads batch seed dims timeLimit memoryLimit stepsPerRun measureForms precision".split(" ")),
  ],
  [
    "Bounds that fail the command:",
    new Set("maxDrop minAgreement allowError allowNotFinite maxSlowdown checkEp".split(" ")),
  ],
  ["Result:", new Set("out dryRun resume overwrite checkpointEvery keepAdapters".split(" "))],
];

/** The group of an option in the help, or `undefined` for what is the command's own. */
export function groupOf({ name, facts }: Field): string | undefined {
  const [title] = groups.find(([, names]) => names.has(name)) ?? [];
  return title ?? (facts.role === "place" ? "Result:" : undefined);
}

/** What stands below the options. */
export function examplesText(examples: readonly string[]): string {
  return ["", "Examples:", ...examples.map((words) => `  npx litheml ${words}`), ""].join("\n");
}
