/** @file Whether what lithe writes is right on the versions of ONNX Runtime that people have. */
import { type CompatResult, compat, type Finding, type Tally } from "../test/compat/compat.ts";
import { allSubjects, type Subject } from "../test/compat/subjects.ts";
import { installedTargets } from "../test/compat/versions.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";

/** The native builds take the models in so many parts; the wasm builds, which take longer to open a session, take one of them. */
const PARTS = 8;

interface Result {
  readonly node: CompatResult;
  readonly web: CompatResult;
}

function* part(subjects: Iterable<Subject>, number: number): Generator<Subject> {
  let i = 0;
  for (const subject of subjects) if (i++ % PARTS === number) yield subject;
}

function together(results: readonly CompatResult[]): CompatResult {
  const tallies: Record<string, Record<string, Tally>> = {};
  for (const result of results) {
    for (const [target, forms] of Object.entries(result.tallies)) {
      tallies[target] ??= {};
      for (const [form, tally] of Object.entries(forms)) {
        tallies[target][form] ??= { tried: 0, right: 0, wrong: 0, refused: 0 };
        for (const key of ["tried", "right", "wrong", "refused"] as const) tallies[target][form][key] += tally[key];
      }
    }
  }
  return {
    subjects: results.reduce((sum, { subjects }) => sum + subjects, 0),
    findings: results.flatMap(({ findings }) => findings),
    tallies,
  };
}

export const compatibility: Experiment<Result> = {
  name: "compat",
  claim:
    "Files that lithe writes are right on the newest patch of the last six minor versions of ONNX Runtime, wherever their originals are.",
  source: "lithe",
  workload: `Every form (upgraded, cleaned, portable, float16, dynamic and static int8, 8- and 4-bit weights) of ONNX's conformance cases as they stand, with their weights stored and relabelled to opset 17, of the graphs on which the passes are tested, and of the real models; stock sessions of onnxruntime-node, and of the wasm build of onnxruntime-web for one model in ${PARTS}. Wrong: further from what the newest version gives than 1e-4 (4e-3 with float16, 2e-2 with few bits).`,
  seeds: [1],
  criterion: "no form is wrong or refused where its original is right.",
  async run({ log, once }) {
    const parts: CompatResult[] = [];
    for (let i = 0; i < PARTS; i++)
      parts.push(
        await once(`node ${i}`, async () => compat(part(allSubjects(/./), i), await installedTargets(["node"]), log)),
      );
    const web = await once("web", async () => compat(part(allSubjects(/./), 0), await installedTargets(["web"]), log));
    return { node: together(parts), web };
  },
  judge: ({ node, web }) =>
    Object.entries({ node, web }).map(([runtime, { findings, tallies }]): Judgement => {
      const tried = Object.values(tallies).flatMap((forms) => Object.values(forms).map((tally) => tally.tried));
      const wrong = findings.filter(({ kind }) => kind === "wrong").length;
      return {
        what: `on onnxruntime-${runtime} no form is wrong or refused where its original is right`,
        holds: findings.length === 0,
        figure: `${wrong} wrong and ${findings.length - wrong} refused of ${tried.reduce((sum, n) => sum + n, 0)} files${findings.length > 0 ? ", listed above" : ""}`,
      };
    }),
  page({ node, web }) {
    const rows = [...rowsOf(node), ...rowsOf(web)];
    const findings = [...node.findings, ...web.findings];
    const table = markdownTable(["runtime", "files", "right", "wrong", "refused"], rows);
    return `${table}\n\n${node.subjects} models on onnxruntime-node, ${web.subjects} on onnxruntime-web.${listed(findings)}`;
  },
};

function rowsOf({ tallies }: CompatResult): (string | number)[][] {
  return Object.entries(tallies).map(([target, forms]) => {
    const sum = (key: "tried" | "right" | "wrong" | "refused"): number =>
      Object.values(forms).reduce((total, tally) => total + tally[key], 0);
    return [target, sum("tried"), sum("right"), sum("wrong"), sum("refused")];
  });
}

/** Models by what is the matter with them, over all versions. */
function listed(findings: readonly Finding[]): string {
  const groups = new Map<string, Set<string>>();
  for (const { subject, form, kind, target } of findings) {
    const name = `${kind}: ${form} of ${subject.replace(/, .*/, "")}`;
    groups.set(name, (groups.get(name) ?? new Set()).add(target.replace("onnxruntime-", "")));
  }
  if (groups.size === 0) return "";
  return `\n\n${[...groups].map(([name, targets]) => `- ${name} (${[...targets].join(", ")})`).join("\n")}`;
}
