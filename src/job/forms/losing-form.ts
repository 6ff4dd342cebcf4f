/** @file A warning before a model is quantized into a form that was measured to be slow here. */
import { modelAdvice, type quantizeTechnique } from "../../quantize/index.ts";
import type { Warn } from "../technique/job.ts";
import { knownFormTable } from "./form-cache.ts";

/** What the form table, if one was measured, says against the form. */
export const losingForm: Warn<typeof quantizeTechnique.settings> = async (
  model,
  { form, bits, accuracyLevel },
  { ep, threads },
) => {
  const table = await knownFormTable(ep, threads);
  const found =
    table &&
    modelAdvice(model, table, form, { ...(bits && { bits }), ...(accuracyLevel !== undefined && { accuracyLevel }) });
  if (found?.verdict !== "loses") return undefined;
  return {
    code: "W_FORM_LOSES",
    message: `${form} is slower than float32 on ${ep} by the form table (${found.reason})`,
  };
};
