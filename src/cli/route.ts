/** @file `lithe route MODEL --experts E`: dense feed-forward blocks become mixtures of experts, verified against the original. */
import { routeTechnique } from "../conditional/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(routeTechnique);
