/** @file What a configuration says of a teacher; `lithe distill` has a flag for each. */
import * as z from "zod";
import { distillationLosses } from "../../distill/index.ts";
import {
  between,
  choice,
  names,
  numberList,
  positive,
  setting,
  text,
  valuePairs,
  whole,
} from "../../settings/index.ts";
import { namedChoice } from "./named-choice.ts";

export const distillationSchema = z.strictObject({
  teacher: setting("--teacher <files>", "the .onnx file that is followed, or several", names()),
  teacherWeights: setting(
    "--teacher-weights <numbers>",
    "of several teachers, in their order (equal ones)",
    z.array(between(0, 1e6)).exactOptional(),
    { word: numberList() },
  ),
  combine: setting(
    "--combine <how>",
    "several teachers: average follows the mean of what they answer, each follows every one by its weight",
    choice(["average", "each"]).default("average"),
  ),
  assistant: setting(
    "--assistant <files>",
    ".onnx files between teacher and student: each learns from the one before it",
    names().exactOptional(),
  ),
  generations: setting(
    "--generations <n>",
    "times that the student learns from its start, each time from the one before it",
    whole(1).default(1),
  ),
  loss: setting(
    "--loss <names>",
    `what of the teacher is followed (its answers): ${Object.keys(distillationLosses).join(", ")}, layers`,
    z.array(namedChoice).min(1).exactOptional(),
    { word: names() },
  ),
  temperature: setting("--temperature <t>", "of the losses over answers that have one", positive().exactOptional()),
  pairs: setting(
    "--pairs <pairs>",
    "values that the losses over values compare: teacher_value=student_value, separated by commas",
    valuePairs().exactOptional(),
  ),
  layers: setting(
    "--layers <numbers>",
    "with the loss layers: the teacher's layer for each of the student's, counted from 1 (every so many-th)",
    numberList().exactOptional(),
  ),
  wordCopies: setting(
    "--word-copies <n>",
    "copies of every text with words replaced by near ones, by the teacher's table of words",
    whole(1).exactOptional(),
  ),
  keepTokens: setting(
    "--keep-tokens <numbers>",
    "tokens that are never replaced in copies, such as padding (0)",
    numberList().exactOptional(),
  ),
  labelWeight: setting(
    "--label-weight <w>",
    "of the loss over labels, where the data has any; 0 needs none",
    between(0, 1e6).default(1),
  ),
  teacherOutput: setting(
    "--teacher-output <name>",
    "the teacher's value that is its answers (the student's output of that name, or its deepest)",
    text().exactOptional(),
  ),
  tasks: setting(
    "--tasks <names>",
    "outputs of the student, each a task of its own: --teacher and --data name a file for each, in this order",
    names().exactOptional(),
  ),
  labelShare: setting(
    "--label-share <share>",
    "with --tasks: the share of the labels in what is learned (from 0 to 1 over the run)",
    between(0, 1).exactOptional(),
  ),
  taskPower: setting(
    "--task-power <p>",
    "with --tasks: a task of n samples is drawn in proportion to n to this power (0.75)",
    between(0, 4).exactOptional(),
  ),
  cache: setting(
    "--cache <dtype>",
    "keeps the teacher's answers in the run folder, so that it runs once per sample; auto where it works much more than the student, and nothing augments",
    choice(["auto", "none", "float32", "float16"]).default("auto"),
  ),
});

export type DistillationConfig = z.infer<typeof distillationSchema>;
