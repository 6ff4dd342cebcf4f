/** @file Inputs that were answered wrongly, before and after. */
import { type Experiment, markdownTable } from "./experiment.ts";
import { faultList } from "./faults/index.ts";
import { everyOne } from "./judgement.ts";

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly right: string;
  readonly before: string;
  readonly after: string;
  readonly ok: boolean;
}

/** Folders in which faults are tried have random names, which are no part of an answer. */
function withoutFolders(answer: string): string {
  return answer.replaceAll(/\S*\/lithe(?:ml)?-fault-\w{6}/g, "FOLDER");
}

export const faults: Experiment<readonly Row[]> = {
  name: "faults",
  claim: "A stranger's model or file is answered rightly or with a named error, within bounds.",
  source: "lithe",
  workload:
    "Small inputs, each a member of a kind that was answered wrongly by commit 617d8e0 (column before: what that commit was seen or reported to answer; a neighbour that was right says so).",
  seeds: [],
  criterion: "every row is right now.",
  async run(context) {
    const rows: Row[] = [];
    for (const fault of faultList) {
      const { kind, name, right, before } = fault;
      context.log(`${kind}: ${name}`);
      const { got, ok } = await context.once(`${kind}/${name}`, () => fault.try(context));
      rows.push({ kind, name, right, before, after: withoutFolders(got), ok });
    }
    return rows;
  },
  judge: (rows) => [
    everyOne(
      "every row is right now",
      rows,
      ({ ok }) => ok,
      ({ name, after }) => `${name}: ${after}`,
    ),
  ],
  page(rows) {
    const table = markdownTable(
      ["kind", "input", "right", "before", "after", ""],
      rows.map(({ kind, name, right, before, after, ok }) =>
        [kind, name, right, before, after, ok ? "✓" : "✗"].map(cell),
      ),
    );
    return `${table}\n\n${rows.filter(({ ok }) => ok).length} of ${rows.length} are right.`;
  },
};

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
