/** @file How a step graph is written for a kind of provider: forms of gradients, and operators that are left out. */
import { defaultForms, type Forms, portableForms } from "../../autodiff/index.ts";
import type { Model } from "../../ir/index.ts";
import { eliminateCommonSubexpressions, lowerPortable } from "../../passes/index.ts";
import type { ExecutionProvider } from "../../runtime/index.ts";
import type { ScalarType } from "./step-builder.ts";

export interface Profile {
  readonly name: string;
  readonly forms: Forms;
  /** What the scalars of an optimizer are computed in. */
  readonly scalars: ScalarType;
  /** Rewrites the finished step graph. */
  lower(model: Model): Model;
}

/** What the CPU providers compute fastest: the runtime's own kernels. */
export const nativeProfile: Profile = {
  name: "native",
  forms: defaultForms,
  scalars: "float64",
  lower: (model) => model,
};

/**
 * What WebGPU computes on the device: no indices of pools, BatchNormalization and LogSoftmax in reductions, no float64, which
 * the web build with WebGPU lacks altogether. What the composed forms share with the gradients is computed once.
 */
export const portableProfile: Profile = {
  name: "portable",
  forms: portableForms,
  scalars: "float32",
  lower: (model) => eliminateCommonSubexpressions().run(lowerPortable().run(model).model).model,
};

/** Every profile under its name. One profile is one line. */
export const profiles = { native: nativeProfile, portable: portableProfile } as const;

export type ProfileName = keyof typeof profiles;

/** The profile for a provider, unless the caller knows better. */
export function profileFor(ep: ExecutionProvider | undefined): ProfileName {
  return ep === "webgpu" ? "portable" : "native";
}

export function profileOf(profile: Profile | ProfileName = "native"): Profile {
  return typeof profile === "string" ? profiles[profile] : profile;
}
