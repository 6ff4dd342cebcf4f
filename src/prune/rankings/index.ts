/** @file Rankings. One ranking is one file and one line in `rankings`; the law iterates over it. */
import { global } from "./global.ts";
import { isomorphic } from "./isomorphic.ts";
import { local } from "./local.ts";

export const rankings = { local, global, isomorphic } as const;

export type RankingName = keyof typeof rankings;
