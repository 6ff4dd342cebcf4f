/** @file docs/results.md, written from the recorded results. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Recorded } from "./experiment.ts";
import { experiments } from "./index.ts";

export const resultsFolder = fileURLToPath(new URL("./results/", import.meta.url));
export const pagePath = fileURLToPath(new URL("../docs/results.md", import.meta.url));

const introduction = `# Results

Every figure on this page was measured by the command in its section and stands in \`experiments/results/\` as JSON. Ratios are A / B of runs that took turns;
above 1 the second is faster or smaller. Machines differ: quote the ratios with the processor, not the milliseconds.
`;

export function resultsPage(): string {
  const recorded = new Map(
    readdirSync(resultsFolder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(resultsFolder + name, "utf8")) as Recorded)
      .map((result) => [result.experiment, result]),
  );
  const sections = experiments.map((experiment) => {
    const { name, claim, source, workload, seeds, criterion } = experiment;
    const found = recorded.get(name);
    const facts = [
      `## ${name}`,
      "",
      `**Claim.** ${claim} (${source})`,
      "",
      `**Test.** ${workload} Shown when ${criterion}${seeds.length > 0 ? ` Seeds ${seeds.join(", ")}.` : ""}`,
      "",
      `\`npm run experiment ${name}\``,
      "",
    ];
    return [
      ...facts,
      found ? `${machineLine(found)}\n\n${experiment.page(found.result)}` : "Not measured yet.",
      "",
    ].join("\n");
  });
  return `${introduction}\n${sections.join("\n")}`;
}

function machineLine({ date, seconds, machine }: Recorded): string {
  const { cpu, cores, flags, runtimes, node } = machine;
  const versions = Object.entries(runtimes).map(([name, version]) => `${name} ${version}`);
  return `Measured ${date} in ${Math.round(seconds)} s on ${cpu}, ${cores} cores (${flags.join(", ")}), Node ${node}, ${versions.join(", ")}.`;
}
