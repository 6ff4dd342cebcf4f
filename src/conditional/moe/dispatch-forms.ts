/** @file One trained mixture in the forms of several dispatches, to choose from by measurement. */
import { UnsupportedError, UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { withParametersOf } from "../lowering/with-parameters-of.ts";
import type { DispatchName } from "./dispatch/index.ts";
import { withoutSideOutputs } from "./side-outputs.ts";

/** A form of a model, or why there is none. */
export type DispatchForm =
  | { readonly name: DispatchName; readonly model: Model }
  | { readonly name: DispatchName; readonly reason: string };

/** Dispatches that leave no row out. The first is what the others are held against. */
const whole: readonly DispatchName[] = ["dropless", "skipping", "dense", "moe-operator"];

/**
 * The trained model for inference under each dispatch. `build` makes the network with a dispatch in all its mixtures, as the trained one was
 * made; its parameters are found by name. A dispatch that cannot carry out what the gates decide, or cannot compute the experts,
 * has a reason in the place of a model.
 *
 * @throws UsageError when a parameter is not in the trained model.
 */
export async function dispatchForms(
  trained: Model,
  build: (dispatch: DispatchName) => Model,
  names: readonly DispatchName[] = whole,
): Promise<DispatchForm[]> {
  const forms: DispatchForm[] = [];
  for (const name of names) {
    const built = attempt(() => build(name));
    if (typeof built === "string") forms.push({ name, reason: built });
    else forms.push({ name, model: await withoutSideOutputs(withParametersOf(built, trained)) });
  }
  return forms;
}

function attempt(build: () => Model): Model | string {
  try {
    return build();
  } catch (error) {
    if (error instanceof UnsupportedError || error instanceof UsageError) return error.message;
    throw error;
  }
}
