/** @file Routing as a technique: settings, plan, work, report. */

import * as z from "zod";
import { nth } from "../../../checked.ts";
import type { Model } from "../../../ir/index.ts";
import { beside, between, memberOf, only, setting, summariesOf, whole } from "../../../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../../../technique/index.ts";
import { withoutSideOutputs } from "../side-outputs.ts";
import { measureActivity } from "./measure-activity.ts";
import { type Activity, routeMethods } from "./methods/index.ts";
import { recoverRouted } from "./recover-routed.ts";
import { type RoutedBlock, type RouteOptions, routeModel, surveyRoute } from "./route-model.ts";

const settings = z.strictObject({
  experts: setting("--experts <n>", "experts per feed-forward block", whole(1)),
  topK: setting("--top-k <k>", "experts that a token goes to", whole(1).default(1)),
  method: setting("--method <name>", summariesOf(routeMethods), memberOf(routeMethods).default("copy")),
  balance: only(
    beside("--finetune"),
    setting("--balance <x>", "factor of the load-balance loss", between(0, 1e6).default(0.01)),
  ),
});

type RouteSettings = z.output<typeof settings>;

export interface RouteEvidence extends Evidence {
  readonly blocks: readonly RoutedBlock[];
}

export const routeTechnique = defineTechnique({
  name: "route",
  summary: "Dense feed-forward blocks made mixtures of experts: more parameters, or less work per token",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  refusesSlower: true,
  suffix: () => "_routed",
  check: () => undefined,

  plan(model, own) {
    const { experts, topK, method } = own;
    const blocks = surveyRoute(model, optionsOf(own));
    return {
      sentence: `feed-forward blocks: ${blocks.length}, work per token × ${nth(blocks, 0).work}`,
      facts: { experts, topK, method, blocks },
    };
  },

  async run(dense, own, context): Promise<RouteEvidence> {
    const { experts, topK, method } = own;
    const options = { ...optionsOf(own), seed: context.seed };
    const activity = method === "split" ? await activityOn(dense, context) : undefined;
    const routed = routeModel(dense, { ...options, ...(activity && { activity }) });
    const { blocks } = routed;
    const { model, report } = await recovered(dense, routed, context);
    return {
      model: await withoutSideOutputs(model),
      sentence: `${blocks.length} feed-forward blocks of ${experts} experts, ${topK} per token`,
      facts: { experts, topK, method, blocks },
      ...(report && { training: report }),
      blocks,
    };
  },

  sections: ({ sentence, blocks }, { method }) => ({
    verdict: `${sentence}, made by ${method}`,
    parts: [
      {
        kind: "table",
        title: "Blocks",
        head: ["output", "reads", "hidden units", "makes", "work per token"],
        rows: blocks.map(({ output, widths, work }) => ({ cells: [output, ...widths, work] })),
      },
    ],
    facts: [],
  }),
});

function optionsOf({ experts, topK, method, balance }: RouteSettings): RouteOptions {
  return { experts, topK, method, ...(balance !== undefined && { balance }) };
}

/** The routed model after the distillation that is asked for, if it is. */
async function recovered(
  dense: Model,
  routed: ReturnType<typeof routeModel>,
  { recovery, data, signal, follow }: TechniqueContext,
) {
  if (!recovery) return { model: routed.model, report: undefined };
  const held = data.datasets && { evaluate: { data: data.datasets.calibration } };
  return await follow(recoverRouted(dense, routed, { ...recovery, ...held, signal }));
}

/** Hidden units on the samples that are kept to choose by; none where there are no samples. */
async function activityOn(
  model: Model,
  { data, open, session, signal }: TechniqueContext,
): Promise<ReadonlyMap<string, Activity> | undefined> {
  return data.datasets && (await measureActivity(model, data.calibration(), open, { ...session, signal }));
}
