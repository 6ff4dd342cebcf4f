/** @file `best.safetensors`: the parameters of the best evaluation, beside the checkpoints. Node only. */
import { join } from "node:path";
import { writeAtomically } from "../../atomic-file.ts";
import { encodeSafetensors, readSafetensors } from "../../data/index.ts";
import { readBytes } from "../../file-system.ts";
import type { Tensor } from "../../ir/index.ts";
import type { TrainingStep } from "../step/step.ts";
import { checkFinite, fitting } from "./stored-tensor.ts";

const NAME = "best.safetensors";

export async function saveBest(folder: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  await writeAtomically(join(folder, NAME), encodeSafetensors(tensors));
}

export async function loadBest(folder: string): Promise<ReadonlyMap<string, Tensor>> {
  const bytes = await readBytes(join(folder, NAME), Number.POSITIVE_INFINITY);
  return readSafetensors(bytes, NAME).tensors;
}

/** @throws FormatError for parameters that are none of the step's. */
export function checkBest(tensors: ReadonlyMap<string, Tensor>, { state }: TrainingStep, folder: string): void {
  const where = join(folder, NAME);
  for (const { kind, of, initial } of state) {
    if (kind === "parameter" && of !== undefined) checkFinite(fitting(tensors.get(of), initial, of, where), of, where);
  }
}
