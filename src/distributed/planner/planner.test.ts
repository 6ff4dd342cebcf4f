import { describe, expect, it } from "vitest";
import { random } from "../../data/index.ts";
import { mlp, vit } from "../../models/index.ts";
import { costOf } from "../../ops/index.ts";
import { clusterFrom, planTraining } from "../index.ts";

const rates = { gigaMacsPerSecond: 10, gigaElementsPerSecond: 1, microsecondsPerNode: 0 };
const fast = { latencyMicroseconds: 0.001, gigabytesPerSecond: 1e6 };
const slow = { latencyMicroseconds: 1e6, gigabytesPerSecond: 0.001 };

interface Described {
  readonly hosts?: number;
  readonly devices?: number;
  readonly memory?: number;
  readonly link?: object;
}

function cluster({ hosts = 1, devices = 4, memory = 16, link = fast }: Described = {}) {
  const host = { count: hosts, devices, memoryGigabytes: memory };
  return clusterFrom({ hosts: [host], inside: link, between: link, rates });
}

const network = () => vit(random(1), { size: 16, patch: 4, width: 32, heads: 2, depth: 4, classes: 4 });

describe("a plan", () => {
  it("of one device is three times the forward work, and the update", () => {
    const model = mlp(random(1), { input: [1, 8, 8], hidden: [64], classes: 10 });
    const { plans } = planTraining(model, { cluster: cluster({ devices: 1 }), batch: 16, optimizer: "sgd" });
    const { macs, elementwise, params } = costOf(model);
    const wanted = (3 * 16 * (macs / 10 + elementwise)) / 1e6 + (6 * params) / 1e6;
    expect(plans[0]).toMatchObject({ devices: 1, sentBytes: 0, limit: "computing" });
    expect(plans[0]!.step / wanted).toBeCloseTo(1, 6);
  });

  it("has a replica on every device where messages cost nothing, and one device where they cost all", () => {
    const free = planTraining(network(), { cluster: cluster() });
    expect(free.plans[0]).toMatchObject({ stages: 1, replicas: 4, limit: "computing" });
    const dear = planTraining(network(), { cluster: cluster({ link: slow }) });
    expect(dear.plans[0]).toMatchObject({ stages: 1, replicas: 1 });
    expect(dear.plans.slice(1).map(({ limit, devices }) => devices === 1 || limit === "messages")).not.toContain(false);
  });

  it("is told with what its step is made of, the fastest first", () => {
    const medium = { latencyMicroseconds: 20, gigabytesPerSecond: 1 };
    const { plans, stages, devices } = planTraining(network(), { cluster: cluster({ hosts: 2, link: medium }) });
    expect(plans.length).toBeGreaterThan(1);
    expect(plans.map(({ step }) => step)).toEqual(plans.map(({ step }) => step).sort((a, b) => a - b));
    for (const { step, parts, samplesPerSecond } of plans) {
      expect(parts.computing + parts.waiting + parts.messages).toBeCloseTo(step, 6);
      expect(samplesPerSecond).toBeCloseTo((1000 * 256) / step, 6);
    }
    expect(stages).toHaveLength(plans[0]!.stages);
    expect(devices).toHaveLength(plans[0]!.devices);
  });

  it("has stages where a device cannot hold the whole, and none where stages do not fit either", () => {
    const options = { batch: 8, optimizer: "adamw" } as const;
    const whole = planTraining(network(), { cluster: cluster({ devices: 1 }), ...options }).plans[0]!.memoryBytes;
    const cut = planTraining(network(), { cluster: cluster({ memory: (0.6 * whole) / 1e9 }), ...options });
    expect(cut.plans.map(({ stages, replicas }) => stages > 1 || replicas > 1)).not.toContain(false);
    expect(cut.tooLarge).toBeGreaterThan(0);
    for (const { memoryBytes } of cut.plans) expect(memoryBytes).toBeLessThanOrEqual(0.6 * whole);
    expect(() => planTraining(network(), { cluster: cluster({ memory: 1e-6 }), ...options })).toThrow(
      /no plan fits in the memory of the devices; expected .* GB on a device, with \d stages/,
    );
  });

  it("compresses gradients only where that is allowed", () => {
    const link = { latencyMicroseconds: 1, gigabytesPerSecond: 0.05 };
    const ratios = (compressions: number[]) =>
      planTraining(network(), { cluster: cluster({ link }), compressions }).plans.map(({ compression }) => compression);
    expect(new Set(ratios([]))).toEqual(new Set([1]));
    expect(ratios([100])[0]).toBe(100);
  });
});

describe("a cluster", () => {
  it("is refused where it is none, saying what and where", () => {
    const host = { devices: 2, memoryGigabytes: 1 };
    expect(() => clusterFrom({ hosts: [host], inside: fast })).toThrow("at between");
    expect(() => clusterFrom({ hosts: [{ ...host, devices: 0 }], inside: fast, between: fast })).toThrow(
      "at hosts.0.devices",
    );
    expect(() => clusterFrom({ hosts: [{ ...host, count: 200 }], inside: fast, between: fast })).toThrow(
      "at most 256; got 400",
    );
    const unknown = clusterFrom({ hosts: [host], inside: fast, between: fast });
    expect(() => planTraining(network(), { cluster: unknown })).toThrow("rates of the cluster, or measured ones");
  });
});
