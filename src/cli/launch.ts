/** @file `lithe launch -n N -- train …`: one training by several ranks, each a thread of this process. */
import * as z from "zod";
import { builtFile } from "../built-file.ts";
import { launch } from "../job/ranks/launch.ts";
import { setting, whole } from "../settings/index.ts";
import { defineCommand } from "./command.ts";

export const command = defineCommand({
  operands: [["<command...>", "train or finetune with its own options, behind --"]],
  settings: z.strictObject({
    ranks: setting("-n, --ranks <n>", "ranks, each a thread with its part of every batch", whole(1).default(2)),
    restarts: setting(
      "--restarts <n>",
      "times that the job begins again from its last checkpoint when a rank fails",
      whole(0).default(0),
    ),
  }),
  run: (words, { ranks, restarts }, console) =>
    launch({ entry: builtFile(import.meta.url, "rank.js"), words, ranks, restarts }, console),
});
