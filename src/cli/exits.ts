/** @file `lithe exits MODEL --data DATA`: easy inputs leave a classifier early, verified against the original. */
import { exitsTechnique } from "../conditional/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(exitsTechnique);
