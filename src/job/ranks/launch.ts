/** @file A command as the ranks of one job, started again from the last checkpoint where one fails. */
import { LitheError, RuntimeError, UsageError } from "../../errors.ts";
import type { Console, Outcome } from "../console.ts";
import { launchThreads, type RankJob } from "./launch-threads.ts";

/** Commands that know what to do as one of several ranks. */
const shared = ["train", "finetune"];

export interface LaunchOptions extends RankJob {
  /** How often the job begins again after a failure. */
  readonly restarts: number;
}

/** @throws UsageError for a command that ranks do not share; whatever `launchThreads` throws after the last restart */
export async function launch({ restarts, ...job }: LaunchOptions, console: Console): Promise<Outcome> {
  const [name] = job.words;
  if (name === undefined || !shared.includes(name)) {
    throw new UsageError("ranks do not share this command", {
      expected: shared.join(" or "),
      got: JSON.stringify(name ?? ""),
      hint: "lithe launch -n 2 -- train --model mlp --data DATA",
    });
  }
  for (let begun = 0; ; begun++) {
    try {
      return await launchThreads(begun === 0 ? job : { ...job, words: resumed(job.words) }, console);
    } catch (error) {
      if (begun >= restarts || !(error instanceof RuntimeError)) throw error;
      console.say(`${sentenceOf(error)} Started again from the last checkpoint, ${begun + 1} of ${restarts}.`);
    }
  }
}

function resumed(words: readonly string[]): readonly string[] {
  return words.includes("--resume") ? words : [...words, "--resume"];
}

function sentenceOf(error: Error): string {
  const message = error instanceof LitheError ? error.message : String(error);
  return message.endsWith(".") ? message : `${message}.`;
}
