/** @file Small bugs planted in the sources, and how many of them the tests notice. */
import { judgeFolders, type Scores, scoresOf } from "../scripts/mutation/folders.ts";
import type { FolderScore } from "../scripts/mutation/score.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, percentage } from "./judgement.ts";

const FOLDERS = ["accelerate", "conditional", "quantize", "train", "report", "cli"].map((name) => `src/${name}`);
const SAMPLE = { count: 200, seed: 1 };
/** What the tests that judge one mutant may take without it. */
const CAP_MS = 60_000;
/** Noticed share of each sample. */
const ENOUGH = 0.85;

export const mutation: Experiment<Scores> = {
  name: "mutation",
  claim: "Of small bugs planted in each part, the tests notice 85 % or more.",
  source: "lithe",
  workload: `${SAMPLE.count} mutants of each folder, chosen by seed among all that the operators in scripts/mutation/ make (an operator of arithmetic, comparison or logic swapped, a condition fixed, a number, word, flag or list changed, a statement left out), each judged by the tests of its folder and those that import from it or are named after it, as far as they reach it: nearest first, until one fails, at most ${CAP_MS / 1000} s of tests. Other tests are not asked, so that more may be noticed than is counted. Tests were written with the survivors of these very samples in view, so that others score lower: of fresh mutants (npm run mutate -- --near --seed 2 --folder src/report --sample 90, and of src/conditional 50) 86 of 90 were noticed and 44 of 50.`,
  seeds: [SAMPLE.seed],
  criterion: `${100 * ENOUGH} % of each sample is noticed, and every survivor is listed with a reason.`,
  async run({ log }) {
    for (const folder of FOLDERS) {
      await judgeFolders({ ...SAMPLE, folders: [folder] }, { lanes: 2, capMs: CAP_MS, nearOnly: true, log });
    }
    return scoresOf({ ...SAMPLE, folders: FOLDERS });
  },
  judge: ({ folders }) => [
    everyOne(
      `${100 * ENOUGH} % of each sample is noticed`,
      folders,
      ({ score }) => score >= ENOUGH,
      ({ folder, score, interval }) => `${folder} ${percentage(score)} (${intervalText(interval, percentage)})`,
    ),
    everyOne(
      "every survivor is listed with a reason",
      folders,
      ({ survivors }) => survivors.every(({ reason }) => Boolean(reason)),
      ({ folder, survivors }) =>
        `${folder}: ${survivors.filter(({ reason }) => !reason).length} of ${survivors.length} without`,
    ),
  ],
  page: scoresPage,
};

export function scoresPage({ folders, excluded }: Scores): string {
  const without = excluded.length > 0 ? `Left out, since they fail on any changed copy: ${excluded.join("; ")}.` : "";
  const minutes = folders.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const took = `Judging took ${minutes.toFixed(0)} minutes of one lane, the tests without a mutant apart.`;
  return [markdownTable(headings, folders.map(row)), took, without, ...folders.map(survivorsOf)]
    .filter(Boolean)
    .join("\n\n");
}

const headings = [
  "folder",
  "mutants",
  "judged",
  "killed",
  "by time",
  "survived",
  "not reached",
  "capped",
  "not asked of all",
  "noticed (95 %)",
  "seconds each",
];

function row({ folder, mutants, judged, counts, score, interval, seconds }: FolderScore): (string | number)[] {
  const [low, high] = interval.map((share) => (100 * share).toFixed(0));
  const { killed, timeout, survived, uncovered, capped, pending } = counts;
  const noticed = `${pending > 0 ? "≥ " : ""}${(100 * score).toFixed(1)} % (${low}-${high} %)`;
  const each = (seconds / Math.max(judged, 1)).toFixed(1);
  return [folder, mutants, judged, killed, timeout, survived, uncovered, capped, pending, noticed, each];
}

function survivorsOf({ folder, survivors }: FolderScore): string {
  if (survivors.length === 0) return "";
  const rows = survivors.map(({ at, operator, change, status, reason }) =>
    [at.replace(`${folder}/`, ""), operator, `\`${change.replaceAll("`", "'")}\``, status, reason ?? ""].map(cell),
  );
  return `Unnoticed in ${folder}:\n\n${markdownTable(["at", "operator", "change", "", "reason"], rows)}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
