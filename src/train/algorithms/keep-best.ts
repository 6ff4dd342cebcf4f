/** @file The parameters of the best evaluation. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { withParameters } from "../loop/trained-model.ts";
import type { Algorithm } from "./algorithm.ts";

export interface KeepBestOptions {
  /** Hands out the model of the best evaluation instead of the last one. */
  readonly restore?: boolean;
}

const keepBestOptionsNames: OptionNames<KeepBestOptions> = { restore: true };

/** Writes the parameters of the best evaluation beside the checkpoints, as `best.safetensors`. Node only. */
export function keepBest(options: KeepBestOptions = {}): Algorithm {
  const { restore = false } = checkOptions(options, keepBestOptionsNames);
  return {
    name: "keep-best",
    needs: ["checkpoint", "evaluate"],
    start: () => ({
      async onStart({ best, step, settings: { folder } }) {
        if (!restore || best === undefined || folder === undefined) return;
        const files = await import("../loop/best-file.ts");
        files.checkBest(await files.loadBest(folder), step, folder);
      },
      async onEvaluation({ event, tensors }, { settings: { folder } }) {
        if (!event.isBest || folder === undefined) return;
        const files = await import("../loop/best-file.ts");
        await files.saveBest(folder, tensors);
      },
      async result(model, { best, model: initial, settings: { folder } }) {
        if (!restore || best === undefined || folder === undefined) return model;
        const files = await import("../loop/best-file.ts");
        return withParameters(initial, await files.loadBest(folder));
      },
    }),
  };
}
