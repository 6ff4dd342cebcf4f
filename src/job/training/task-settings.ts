/** @file What a configuration says of several tasks, and what has nothing to do beside them. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { DistillationConfig } from "./distillation-config.ts";
import { nameOf } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";

/** A head of the student, who teaches it, and by which samples. */
export interface TaskFiles {
  /** Of the student's output. */
  readonly name: string;
  readonly teacher: string;
  readonly data: string;
}

/** `undefined` where there is one task. @throws UsageError for lists of different lengths, and for settings of one task beside several */
export function tasksOf(config: TrainingConfig): readonly TaskFiles[] | undefined {
  const { distillation } = config;
  const { tasks, teacher = [] } = distillation ?? {};
  if (!distillation || tasks === undefined) return alone(distillation);
  const data = config.data.split(",").map((path) => path.trim());
  const counts = { "--tasks": tasks.length, "--teacher": teacher.length, "--data": data.length };
  const other = Object.entries(counts).find(([, count]) => count !== tasks.length);
  if (other)
    throw new UsageError("every task has a teacher and data of its own", {
      expected: `${tasks.length} files of ${other[0]}, in the order of --tasks ${tasks.join(",")}`,
      got: String(other[1]),
    });
  if (tasks.length < 2)
    throw new UsageError("there are too few tasks", { expected: "2 or more", got: `${tasks.length}` });
  const twice = tasks.find((name, i) => tasks.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError("a task is named twice", { got: JSON.stringify(twice) });
  checkIdle(config, distillation);
  return tasks.map((name, i) => ({ name, teacher: nth(teacher, i), data: nth(data, i) }));
}

function alone(asked: DistillationConfig | undefined): undefined {
  const { labelShare, taskPower } = asked ?? {};
  const [idle] = Object.entries({ "--label-share": labelShare, "--task-power": taskPower }).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag],
  );
  if (idle !== undefined)
    throw new UsageError(`${idle} has nothing to do`, { expected: "--tasks beside it", got: "no --tasks" });
  return undefined;
}

/** What is said of one teacher or one loss. */
function checkIdle(config: TrainingConfig, asked: DistillationConfig): void {
  const { loss, output, metrics, monitor, restoreBest, earlyStopping, head, lora, measureForms } = config;
  const given = {
    "--label-loss": nameOf(loss) !== "crossEntropy",
    "--output": output !== undefined,
    metrics: metrics !== undefined,
    monitor: monitor !== undefined,
    "--restore-best": restoreBest === true,
    "--patience": earlyStopping !== undefined,
    head: head !== undefined,
    lora: lora !== undefined,
    "--measure-forms": measureForms,
    "--teacher-weights": asked.teacherWeights !== undefined,
    "--combine": asked.combine !== "average",
    "--assistant": asked.assistant !== undefined,
    "--generations": asked.generations > 1,
    "--loss": asked.loss !== undefined,
    "--temperature": asked.temperature !== undefined,
    "--pairs": asked.pairs !== undefined,
    "--layers": asked.layers !== undefined,
    "--word-copies": asked.wordCopies !== undefined,
    "--keep-tokens": asked.keepTokens !== undefined,
    "--label-weight": asked.labelWeight !== 1,
    "--teacher-output": asked.teacherOutput !== undefined,
    "--cache": asked.cache === "float32" || asked.cache === "float16",
  };
  const idle = Object.entries(given).find(([, isGiven]) => isGiven);
  if (idle === undefined) return;
  throw new UsageError(`${idle[0]} has nothing to do`, {
    expected: "one task",
    got: `--tasks ${(asked.tasks ?? []).join(",")}`,
    hint: "Every task is learned by the cross entropy with its labels and its teacher's answers.",
  });
}
