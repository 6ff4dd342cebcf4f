import { describe, expect, it } from "vitest";
import { patienceLost } from "../algorithms/early-stopping.ts";
import { bestOf, monitorOf } from "./best.ts";
import type { FitOptions } from "./fit-options.ts";

const evaluations = (name: string, values: readonly number[]) =>
  values.map((value, i) => ({ epoch: i + 1, update: i + 1, metrics: { [name]: value } }));

/** What `fit` decides from after these evaluations: the best one, and how it words that the run ends. */
function decided(values: readonly number[], options: Partial<FitOptions>) {
  const given = options as FitOptions;
  const monitor = monitorOf(given);
  const seen = evaluations(monitor.name, values);
  const { patience = Number.POSITIVE_INFINITY } = options.earlyStopping ?? {};
  return { best: bestOf(seen, monitor), reason: patienceLost(seen, monitor, patience) };
}

const byAccuracy = { monitor: "accuracy", evaluate: { metrics: ["accuracy"] } } as unknown as FitOptions;

describe("the best evaluation", () => {
  it.each([
    ["the least loss", [3, 1, 2], {}, 1],
    ["the first among equals", [2, 1, 1], {}, 1],
    ["the largest accuracy", [0.1, 0.5, 0.3], byAccuracy, 1],
    ["none that is not a number", [Number.NaN, 4, Number.NaN], {}, 1],
    // 3 → 2.5 is half a unit less, 2.5 → 2.25 a quarter; against 3 it is three quarters.
    ["less by more than minDelta", [3, 2.5, 2.25], { earlyStopping: { patience: 9, minDelta: 0.5 } }, 2],
    ["not less by minDelta exactly", [3, 2.5], { earlyStopping: { patience: 9, minDelta: 0.5 } }, 0],
    [
      "larger by more than minDelta",
      [0.5, 0.625, 0.75],
      { ...byAccuracy, earlyStopping: { patience: 9, minDelta: 0.2 } },
      2,
    ],
    ["not larger by less", [0.5, 0.625], { ...byAccuracy, earlyStopping: { patience: 9, minDelta: 0.2 } }, 0],
  ])("is %s", (_, values, options, expected) => {
    expect(decided(values, options as Partial<FitOptions>).best).toBe(expected);
  });
});

describe("the run", () => {
  it("ends after as many evaluations without a better one as patience has, and not one before", () => {
    const earlyStopping = { patience: 2, minDelta: 0.5 };
    expect(decided([3, 2.6], { earlyStopping }).reason).toBeUndefined();
    expect(decided([3, 2.6, 2.7], { earlyStopping }).reason).toBe("loss has not improved for 2 evaluations");
    // 2.4 is more than 0.5 below 3, so the count begins anew.
    expect(decided([3, 2.6, 2.4, 2.3], { earlyStopping }).reason).toBeUndefined();
    expect(decided([Number.NaN, Number.NaN], { earlyStopping }).reason).toMatch(/for 2 evaluations/);
  });
});
