/** @file A cascade of two imported classifiers as a technique: settings, plan, work, report. */
import * as z from "zod";
import { nth } from "../../checked.ts";
import type { Model } from "../../ir/index.ts";
import { costOf } from "../../ops/index.ts";
import { requireSamplesFor } from "../../settings/index.ts";
import { defineTechnique } from "../../technique/index.ts";
import { joinedClassifiers } from "./joined.ts";
import { type ExitEvidence, leavingEarly, leavingSettings, observeLeaving } from "./leaving.ts";
import { classifierOf } from "./scores-model.ts";
import { leavingSections } from "./technique-report.ts";

const settings = z.strictObject(leavingSettings);

export const cascadeTechnique = defineTechnique({
  name: "cascade",
  summary: "Two classifiers as one: a small one answers where it is sure, the big one what is left",
  settings,
  others: [["<small>", "an .onnx file of the same inputs and classes, which answers first"]],
  ready: "blocks",
  keeps: "answers",
  recovers: false,
  refusesSlower: true,
  suffix: () => "_cascade",
  check: ({ data }) => requireSamplesFor("lithe cascade", data),

  plan(big, _, others = []) {
    const small = nth(others, 0);
    for (const model of [small, big]) classifierOf(model);
    const share = shareOf(small, big);
    return {
      sentence: `the small network takes ${(100 * share).toFixed(0)} % of the big one's multiply-accumulates`,
      facts: { share },
    };
  },

  async run(big, own, context): Promise<ExitEvidence> {
    const joined = await joinedClassifiers(nth(context.others, 0), big);
    const evidence = await leavingEarly(big, joined, [{ at: "the small network", depth: 0 }], own, context);
    return { ...evidence, facts: { ...evidence.facts, share: shareOf(nth(context.others, 0), big) } };
  },

  observe: observeLeaving,

  sections: (evidence, own) => leavingSections(evidence, own),
});

function shareOf(small: Model, big: Model): number {
  const [few, all] = [small, big].map((model) => costOf(model).macs);
  return (few ?? 0) / (all || 1);
}
