/** @file Early exit as a technique: settings, plan, work, report. */
import { join } from "node:path";
import * as z from "zod";
import { random } from "../../data/index.ts";
import { distill, recoveryFrom, softTargets } from "../../distill/index.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { requireSamplesFor, setting, whole } from "../../settings/index.ts";
import { defineTechnique, type TechniqueContext } from "../../technique/index.ts";
import { addExits, type ExitModel, exitTerms } from "./add-exits.ts";
import { type ExitEvidence, leavingEarly, leavingSettings, observeLeaving } from "./leaving.ts";
import type { Neck } from "./necks.ts";
import { balancedPlaces } from "./places.ts";
import { classifierOf, type ScoresModel, withoutSoftmax } from "./scores-model.ts";
import { leavingSections } from "./technique-report.ts";
import { trainHeads } from "./train-heads.ts";

const settings = z.strictObject({
  exits: setting("--exits <n>", "exits, at equal parts of the work", whole(1).default(2)),
  epochs: setting(
    "--epochs <n>",
    "epochs in which the classifiers of the exits learn, the network as it is",
    whole(1).default(4),
  ),
  ...leavingSettings,
});

type ExitSettings = z.output<typeof settings>;

export const exitsTechnique = defineTechnique({
  name: "exits",
  summary: "Exits for a classifier: easy inputs leave early, through classifiers that learn from the whole network",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  refusesSlower: true,
  suffix: () => "_exits",
  check: ({ data }) => requireSamplesFor("lithe exits", data),

  plan(model, { exits }) {
    const { typed } = classifierOf(model);
    const places = balancedPlaces(typed, exits).map(placeOf);
    const depths = places.map(({ depth }) => `${(100 * depth).toFixed(0)} %`).join(", ");
    return { sentence: `exits: ${places.length}, behind ${depths} of the work`, facts: { exits: places } };
  },

  async run(model, own, context): Promise<ExitEvidence> {
    const scores = await withoutSoftmax(model);
    const places = balancedPlaces(scores.model, own.exits);
    const at = places.map(({ value }) => value.name);
    const added = addExits(scores.model, random(context.seed), { at });
    const heads = await learnedHeads(added, scores, own, context);
    const { model: trained, training } = await learnedTogether({ ...added, model: heads }, scores, context);
    const evidence = await leavingEarly(model, { ...added, model: trained }, places.map(placeOf), own, context);
    return { ...evidence, ...(training && { training }) };
  },

  observe: observeLeaving,

  sections: (evidence, own) => leavingSections(evidence, own),
});

function placeOf({ value, depth }: Neck) {
  return { at: value.name, depth };
}

/** The network with heads that have learned from it. */
async function learnedHeads(
  added: ExitModel,
  { scores }: ScoresModel,
  { epochs }: ExitSettings,
  context: TechniqueContext,
): Promise<Model> {
  const { checkpoints, data, session, seed, signal, follow } = context;
  const training = data.datasets?.training;
  if (!training || training.size === 0) {
    throw new UsageError("there are no samples left for exits to learn from", {
      hint: "Keep fewer for choosing and verifying, with --calibration-samples and --eval-samples.",
    });
  }
  const made = await context.onceModel("heads", async () => {
    const { model } = await follow(
      trainHeads(added, {
        ...{ data: training, output: scores, epochs, seed, session, signal, resume: checkpoints.resume },
        ...(data.batch !== undefined && { batch: data.batch }),
        checkpoint: { folder: join(checkpoints.folder, "heads") },
      }),
    );
    return { model, facts: {} };
  });
  return made.model;
}

/** Network and exits after a distillation of both from the original, where one is asked for. */
async function learnedTogether(
  added: ExitModel,
  { model: teacher, scores }: ScoresModel,
  { recovery, data, follow, signal }: TechniqueContext,
) {
  if (!recovery) return { model: added.model, training: undefined };
  const isLabelled = recovery.data.labels !== undefined;
  const held = data.datasets && { evaluate: { data: data.datasets.calibration } };
  const { losses, ...options } = recoveryFrom(teacher, added.at, { ...recovery, ...held });
  const pairs = added.exits.map((exit) => ({ teacher: scores, student: exit }));
  const { temperature = 2 } = recovery;
  const { model, report } = await follow(
    distill(added.model, {
      ...options,
      losses: [...losses, ...pairs.map((pair) => softTargets({ pairs: [pair], temperature }))],
      ...(isLabelled && { terms: exitTerms(added, "crossEntropy") }),
      signal,
    }),
  );
  return { model, training: report };
}
