/** @file docs/results.md, written from the recorded results. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Experiment, Recorded } from "./experiment.ts";
import { experiments } from "./index.ts";
import { verdictText } from "./judgement.ts";

export const resultsFolder = fileURLToPath(new URL("./results/", import.meta.url));
export const pagePath = fileURLToPath(new URL("../docs/results.md", import.meta.url));

const introduction = `# Results

Every figure on this page was measured by the command in its section and stands in \`experiments/results/\` as JSON. Ratios are A / B of runs that took turns;
above 1 the second is faster or smaller. Machines differ: quote the ratios with the processor, not the milliseconds.

Every section ends in a verdict. Each part of the criterion is judged by itself: it holds, or does not, where the whole 95 % interval (Student's over seeds,
Wilson's of shares, the recorded one of latencies) lies on one side of the bound; where the interval holds the bound, or a figure was not recorded, it cannot be told.
Where a criterion counts its own sample (every case, 95 % of 200 comparisons), the count decides.
`;

export function resultsPage(): string {
  const recorded = new Map(
    readdirSync(resultsFolder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(resultsFolder + name, "utf8")) as Recorded)
      .map((result) => [result.experiment, result]),
  );
  return `${introduction}\n${experiments.map((experiment) => section(experiment, recorded.get(experiment.name))).join("\n")}`;
}

/** What an experiment claims, how it is tested, what was measured, and at the end the verdict. */
export function section(experiment: Experiment, recorded: Recorded | undefined): string {
  const { name, claim, source, workload, seeds, criterion } = experiment;
  return [
    `## ${name}`,
    "",
    `**Claim.** ${claim} (${source})`,
    "",
    `**Test.** ${sentence(workload)} Shown when ${sentence(criterion)}${seeds.length > 0 ? ` Seeds ${seeds.join(", ")}.` : ""}`,
    "",
    `\`npm run experiment ${name}\``,
    "",
    recorded ? `${machineLine(recorded)}\n\n${found(experiment, recorded.result)}` : "**Verdict.** not measured yet.",
    "",
  ].join("\n");
}

/** Figures and verdict; what earlier code recorded with other fields has neither. */
function found(experiment: Experiment, result: unknown): string {
  try {
    return `${experiment.page(result)}\n\n${verdictText(experiment.judge(result))}`;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return "**Verdict.** cannot be told: the figures were recorded by earlier code and lack what this code reads. To be measured again.";
  }
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}

function machineLine({ date, seconds, machine }: Recorded): string {
  const { cpu, cores, flags, runtimes, node } = machine;
  const versions = Object.entries(runtimes).map(([name, version]) => `${name} ${version}`);
  return `Measured ${date} in ${Math.round(seconds)} s on ${cpu}, ${cores} cores (${flags.join(", ")}), Node ${node}, ${versions.join(", ")}.`;
}
