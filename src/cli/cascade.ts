/** @file `lithe cascade SMALL BIG --data DATA`: two classifiers as one model, verified against the big one. */
import { cascadeTechnique } from "../conditional/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(cascadeTechnique);
