import { describe, expect, it } from "vitest";
import { moons, options } from "../../../test/moons.ts";
import type { Probe } from "../algorithms/index.ts";
import { checkFitOptions, type FitOptions } from "./fit-options.ts";

const { evaluate: _, ...bare } = options();
const probe: Probe = { name: "nothing", start: () => async () => [] };
const checkpoint = { folder: "kept" };

describe("an option that needs another", () => {
  it.each<[string, Partial<FitOptions>, Partial<FitOptions>, string]>([
    ["resume", { resume: true }, { checkpoint }, "checkpoint"],
    ["restoreBest", { restoreBest: true, evaluate: { data: moons(8, 2) } }, { checkpoint }, "checkpoint"],
    ["restoreBest", { restoreBest: true, checkpoint }, { evaluate: { data: moons(8, 2) } }, "evaluate"],
    ["earlyStopping", { earlyStopping: { patience: 2 } }, { evaluate: { data: moons(8, 2) } }, "evaluate"],
    ["monitor", { monitor: "loss" }, { evaluate: { data: moons(8, 2) } }, "evaluate"],
    ["probes", { probes: [probe] }, { evaluate: { data: moons(8, 2) } }, "evaluate"],
  ])("%s is refused alone, and taken with it", (name, given, other, needed) => {
    expect(() => checkFitOptions({ ...bare, ...given })).toThrow(`${name} needs ${needed}`);
    expect(() => checkFitOptions({ ...bare, ...given, ...other })).not.toThrow();
  });

  it("is taken alone where it is switched off", () => {
    expect(() => checkFitOptions({ ...bare, resume: false, restoreBest: false })).not.toThrow();
  });
});
