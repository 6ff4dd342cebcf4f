/** @file Optimizers. One optimizer is one file and one line in `optimizers`; the law iterates over it. */
import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import { lamb } from "./lamb.ts";
import { lion } from "./lion.ts";
import { muon } from "./muon.ts";
import { sgd } from "./sgd.ts";

/** Every optimizer under its name, with its usual settings when called without any. */
export const optimizers = { sgd, adam, adamw, lamb, lion, muon } as const;

export type OptimizerName = keyof typeof optimizers;

export type { LionOptions } from "./lion.ts";
export type { MomentOptions } from "./moments.ts";
export type { MuonOptions } from "./muon.ts";
export type { Optimizer, OptimizerState, Parameter, Updated, UpdateInputs } from "./optimizer.ts";
export type { SgdOptions } from "./sgd.ts";
export { adam, adamw, lamb, lion, muon, sgd };
