/** @file `lithe quantize MODEL --form FORM`: fewer bits, verified against the original before anything is written. */
import { losingForm } from "../job/forms/losing-form.ts";
import { quantizeTechnique } from "../quantize/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(quantizeTechnique, losingForm);
