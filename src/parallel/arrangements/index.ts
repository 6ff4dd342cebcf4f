/** @file Arrangements. One arrangement is one file and one line in `arrangements`; the law iterates over it. */
import type { Arrangement } from "./arrangement.ts";
import { blocks } from "./blocks.ts";
import { interleaved } from "./interleaved.ts";
import { merged } from "./merged.ts";
import { sublayers } from "./sublayers.ts";

export const arrangements = { blocks, interleaved, sublayers, merged } as const satisfies Record<string, Arrangement>;

export type ArrangementName = keyof typeof arrangements;

export type { Arrangement, Branch, Stage } from "./arrangement.ts";
