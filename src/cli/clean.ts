/** @file `lithe clean MODEL`: the same function in fewer nodes, verified against the original before anything is written. */
import { cleanTechnique } from "../accelerate/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(cleanTechnique);
