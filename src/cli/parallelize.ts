/** @file `lithe parallelize MODEL --branches N`: blocks in sequence become branches, verified against the original. */
import { parallelizeTechnique } from "../parallel/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(parallelizeTechnique);
