/** @file Levels of weights. One is one file and one line in `weightLevels`; the law iterates over it. */
import { absmean } from "./absmean.ts";
import { binaryConnect } from "./binary-connect.ts";
import { bwn } from "./bwn.ts";
import { ttq } from "./ttq.ts";
import { twn } from "./twn.ts";

/** Every kind of levels under its name. */
export const weightLevels = { binaryConnect, bwn, twn, ttq, absmean } as const;

export type WeightLevelsName = keyof typeof weightLevels;

export type { TtqOptions } from "./ttq.ts";
export type { TwnOptions } from "./twn.ts";
export type { WeightLevels } from "./weight-levels.ts";
export { absmean, binaryConnect, bwn, ttq, twn };
