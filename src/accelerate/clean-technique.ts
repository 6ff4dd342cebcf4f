/** @file Cleaning as a technique: what a model does not need goes, and which pass took it. */

import * as z from "zod";
import { atLeast } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { allNodes, fedInputs, formatType, type Model, qualifiedName } from "../ir/index.ts";
import { dynamicBatch as dynamicBatchPass } from "../passes/index.ts";
import type { Evaluate, Note, PassResult } from "../rewrite/index.ts";
import { flag, setting } from "../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../technique/index.ts";
import { cleanupChecked, type LeftOut } from "./run-checked.ts";

const settings = z.strictObject({
  dynamicBatch: setting(
    "--dynamic-batch",
    "a batch that is fixed at 1 takes any number of samples, proved on three",
    flag().exactOptional(),
  ),
  trace: setting("--trace", "print every change: the pass, the reason, the nodes", flag().exactOptional()),
});

/** How often an operator occurs. */
interface OperatorCount {
  readonly operator: string;
  readonly before: number;
  readonly after: number;
}

/** What one pass did. */
interface PassCount {
  readonly pass: string;
  readonly changes: number;
}

export interface CleanEvidence extends Evidence {
  readonly operators: readonly OperatorCount[];
  readonly passes: readonly PassCount[];
  readonly leftOut: readonly LeftOut[];
}

export const cleanTechnique = defineTechnique({
  name: "clean",
  summary:
    "Constants folded, dead and idle nodes gone, norms and padding folded in, opset 21: the same function in fewer nodes",
  settings,
  ready: "nothing",
  keeps: "numbers",
  recovers: false,
  suffix: () => "_clean",
  check: () => undefined,

  plan: (model) => ({
    sentence: `${countNodes(model)} nodes to be cleaned`,
    facts: { nodes: { before: countNodes(model) } },
  }),

  async run(model, { trace = false, dynamicBatch = false }, context): Promise<CleanEvidence> {
    const cleaned = await cleanupChecked(model, checking(context));
    const { leftOut } = cleaned;
    const opened = dynamicBatch ? await withDynamicBatch(cleaned.model, context) : { model: cleaned.model, notes: [] };
    const clean = opened.model;
    const notes = [...cleaned.notes, ...(opened.notes ?? [])];
    const applied = notes.filter(({ kind }) => kind === "applied");
    if (trace) for (const note of notes) context.say(lineOf(note));
    for (const { pass, reason } of leftOut) context.say(`the pass ${pass} is left out: ${reason}`);
    const nodes = { before: countNodes(model), after: countNodes(clean) };
    const [operators, passes] = [operatorCounts(model, clean), passCounts(applied)];
    return {
      model: clean,
      sentence: `${nodes.before} → ${nodes.after} nodes, ${applied.length} changes`,
      facts: { nodes, operators, passes, leftOut },
      ...{ operators, passes, leftOut },
    };
  },

  sections: ({ sentence, operators, passes, leftOut }) => ({
    verdict: sentence,
    parts: [
      {
        kind: "table",
        title: "Operators",
        head: ["operator", "before", "after"],
        rows: operators.map(({ operator, before, after }) => ({
          cells: [operator, before, after],
          isChosen: before !== after,
        })),
      },
      {
        kind: "table",
        title: "Passes",
        head: ["pass", "changes", "left out"],
        rows: [
          ...passes.map(({ pass, changes }) => ({ cells: [pass, changes, null] })),
          ...leftOut.map(({ pass, reason }) => ({ cells: [pass, null, reason] })),
        ],
      },
    ],
    facts: [],
  }),
});

function checking({ open, session, original, data, signal }: TechniqueContext) {
  async function* batches() {
    for await (const feeds of data.calibration()) yield { feeds };
  }
  return { open, session: { ...session, stock: true }, batches, original, signal };
}

/** @throws UsageError where no input has one sample; UnsupportedError where a batch of three differs from its samples alone */
async function withDynamicBatch(model: Model, { open, session }: TechniqueContext): Promise<PassResult> {
  const evaluate: Evaluate = async (each, feeds) => {
    await using opened = await open(each, { ...session, stock: true });
    return await opened.run(feeds);
  };
  const opened = await dynamicBatchPass({ evaluate }).run(model);
  if (opened.model !== model) return opened;
  throw new UsageError("the model has no fixed batch to lift", {
    expected: "an input whose first dim is 1",
    got: fedInputs(model.graph)
      .map(({ name, type }) => `${name}: ${formatType(type)}`)
      .join(", "),
  });
}

function lineOf({ pass, rule, kind, reason, nodes }: Note): string {
  const where = nodes.length > 0 ? ` [${nodes.join(", ")}]` : "";
  return `${pass}${rule === undefined ? "" : `/${rule}`}: ${kind === "declined" ? "not: " : ""}${reason}${where}`;
}

function countNodes(model: Model): number {
  return [...allNodes(model)].length;
}

function countedBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

function operatorCounts(before: Model, after: Model): OperatorCount[] {
  const [first, last] = atLeast(
    [before, after].map((model) => countedBy(allNodes(model), qualifiedName)),
    2,
  );
  const operators = [...new Set([...first.keys(), ...last.keys()])].sort();
  return operators.map((operator) => ({
    operator,
    before: first.get(operator) ?? 0,
    after: last.get(operator) ?? 0,
  }));
}

function passCounts(notes: readonly Note[]): PassCount[] {
  return [...countedBy(notes, ({ pass }) => pass)].map(([pass, changes]) => ({ pass, changes }));
}
