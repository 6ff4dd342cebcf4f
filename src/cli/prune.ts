/** @file `lithe prune MODEL --ratio SHARE`: narrower layers, verified against the original before anything is written. */
import { pruneTechnique } from "../prune/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(pruneTechnique);
