/** @file `lithe metaprune MODEL --target-macs SHARE --data DATA`: widths found by evolution, trained anew, verified against the original before anything is written. */
import { metaPruneTechnique } from "../prune/index.ts";
import { techniqueCommand } from "./technique-command.ts";

export const command = techniqueCommand(metaPruneTechnique);
