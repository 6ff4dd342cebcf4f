/** @file The stages before the last one: a teacher teaches an assistant, which teaches the next, and the last of them the student. */
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import type { ComparedFacts } from "../../report/index.ts";
import type { Console } from "../console.ts";
import { runFolderOf } from "../run/output.ts";
import { nameOf, stemOf } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";
import type { TrainingTarget } from "./training-output.ts";

export interface Taught {
  /** The configuration of the last stage: its teacher is the one before it. */
  readonly config: TrainingConfig;
  /** What the stages before came to. */
  readonly earlier: readonly ComparedFacts[];
}

/** Trains one stage and gives the file that it wrote. */
export type TrainStage = (
  target: TrainingTarget,
  config: TrainingConfig,
  console: Console,
) => Promise<{ readonly file: string; readonly compared?: readonly ComparedFacts[] }>;

/** The files that learn before the student, in order. Of generations each is the student's own file anew. */
export function assistantsOf({ distillation: asked, model }: TrainingConfig): readonly string[] {
  const { assistant = [], generations = 1 } = asked ?? {};
  return [...assistant, ...Array.from({ length: generations - 1 }, () => nameOf(model))];
}

/** Each stage has a run folder of its own in that of the whole; an interrupted chain goes on in the stage that it was in. */
export async function taughtByAssistants(
  target: TrainingTarget,
  config: TrainingConfig,
  train: TrainStage,
  console: Console,
): Promise<Taught> {
  const files = assistantsOf(config);
  if (!config.distillation || files.length === 0) return { config, earlier: [] };
  checkChain(config);
  const earlier: ComparedFacts[] = [];
  let { teacher } = config.distillation;
  for (const [i, model] of files.entries()) {
    const name = `stage ${i + 1}, ${stemOf(model)}`;
    console.say(`${name} follows ${teacher.map(stemOf).join(", ")}`);
    const out = join(runFolderOf(target.out), `stage-${i + 1}`);
    const place = {
      title: `${target.title}, ${name}`,
      name: `${stemOf(model)}_stage${i + 1}`,
      out,
      resume: target.resume,
    };
    const { file, compared = [] } = await train(place, stageOf(config, { model, teacher, isFirst: i === 0 }), console);
    for (const { name: who, metrics } of compared) earlier.push({ name: `${name}: ${who}`, metrics });
    teacher = [file];
  }
  return { config: stageOf(config, { model: nameOf(config.model), teacher, isFirst: false }), earlier };
}

interface Stage {
  readonly model: string;
  readonly teacher: readonly string[];
  readonly isFirst: boolean;
}

/** Several teachers are those of the first stage. All stages hold the same samples out, since the seed is the same. */
function stageOf(config: TrainingConfig, { model, teacher, isFirst }: Stage): TrainingConfig {
  const { assistant: _, generations: __, teacherWeights, combine, ...asked } = config.distillation!;
  const several = isFirst ? { combine, ...(teacherWeights && { teacherWeights }) } : { combine: "average" as const };
  const { keepAdapters: ___, out: ____, ...rest } = config;
  return {
    ...rest,
    model,
    distillation: { ...asked, ...several, teacher: [...teacher], generations: 1 },
  };
}

/** What is said of one pair of networks has no meaning for others between them. */
function checkChain({ distillation, output, trainable, freeze }: TrainingConfig): void {
  const { assistant, pairs, teacherOutput } = distillation!;
  if (!assistant) return;
  const named = { "--pairs": pairs, "--output": output, "--teacher-output": teacherOutput, "--trainable": trainable };
  const wrong = Object.entries({ ...named, "--freeze": freeze }).find(([, value]) => value !== undefined);
  if (!wrong) return;
  throw new UsageError(`${wrong[0]} names values of two networks, and assistants are others`, {
    expected: "one teacher and one student",
    got: `--assistant ${assistant.join(",")}`,
    hint: "Run the stages one by one, each with names of its own.",
  });
}
