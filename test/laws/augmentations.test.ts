/** @file Every augmentation: its result depends on the draws alone, keeps size and range, and vanishes at strength zero. */
import { describe, expect, it } from "vitest";
import { type Augmentation, type AugmentationName, augmentations, type Picture, random } from "../../src/data/index.ts";
import { DataError, UsageError } from "../../src/errors.ts";

interface Settings {
  /** So that something changes almost surely. */
  readonly strong: Augmentation;
  /** So that nothing does. */
  readonly zero: Augmentation;
  /** Whether values from 0 to 1 stay there. */
  readonly keepsRange: boolean;
}

const { randomCrop, horizontalFlip, randAugment, mixup, cutmix, cutout, randomErasing, normalise } = augmentations;

const settings: Readonly<Record<AugmentationName, Settings>> = {
  randomCrop: { strong: randomCrop({ padding: 3 }), zero: randomCrop({ padding: 0 }), keepsRange: true },
  horizontalFlip: {
    strong: horizontalFlip({ probability: 1 }),
    zero: horizontalFlip({ probability: 0 }),
    keepsRange: true,
  },
  randAugment: {
    strong: randAugment({ operations: 4, magnitude: 0.7 }),
    zero: randAugment({ operations: 0 }),
    keepsRange: true,
  },
  mixup: { strong: mixup({ classes: 4, alpha: 5 }), zero: mixup({ classes: 4, alpha: 0 }), keepsRange: true },
  cutmix: { strong: cutmix({ classes: 4, alpha: 5 }), zero: cutmix({ classes: 4, alpha: 0 }), keepsRange: true },
  cutout: { strong: cutout({ size: 4 }), zero: cutout({ size: 0 }), keepsRange: true },
  randomErasing: {
    strong: randomErasing({ probability: 1, fill: 0.5 }),
    zero: randomErasing({ probability: 0 }),
    keepsRange: true,
  },
  normalise: { strong: normalise({ mean: [0.4, 0.5, 0.6], std: [0.25] }), zero: normalise(), keepsRange: false },
};

/** Random values from 0 to 1, wider than high so that exchanged axes show. */
function picture(seed: number, label = seed % 4, channels = 3): Picture {
  const source = random(seed, 1);
  const values = Float32Array.from({ length: channels * 9 * 11 }, source.uniform);
  return { channels, height: 9, width: 11, values, label };
}

const seeds = Array.from({ length: 40 }, (_, i) => i);

describe.each(Object.keys(augmentations) as AugmentationName[])("%s", (name) => {
  const { strong, zero, keepsRange } = settings[name];

  it("bears its name, and is made again by its recipe", () => {
    expect(strong.name).toBe(name);
    expect(strong.recipe).toMatchObject({ module: "litheml/data", export: name });
    const [options] = structuredClone(strong.recipe!.arguments) as [never];
    const again = augmentations[name](options);
    expect(again.apply(picture(1), random(3), picture(2))).toEqual(strong.apply(picture(1), random(3), picture(2)));
  });

  it("keeps the size, and leaves what it is given as it is", () => {
    for (const seed of seeds) {
      const [given, beside] = [picture(seed), picture(seed + 1)];
      const { channels, height, width, values } = strong.apply(given, random(seed), beside);
      expect({ channels, height, width, length: values.length }).toEqual({
        channels: 3,
        height: 9,
        width: 11,
        length: given.values.length,
      });
      expect(given).toEqual(picture(seed));
      expect(beside).toEqual(picture(seed + 1));
    }
  });

  it("depends on the draws alone", () => {
    const changed = (seed: number) => strong.apply(picture(7), random(seed), picture(8));
    expect(changed(1)).toEqual(changed(1));
    const results = new Set(seeds.map((seed) => String(changed(seed).values)));
    if (!["horizontalFlip", "normalise"].includes(name)) expect(results.size).toBeGreaterThan(5);
    expect([...results].some((values) => values !== String(picture(7).values))).toBe(true);
  });

  it("changes nothing at strength zero", () => {
    for (const seed of seeds) {
      const { values, label, target } = zero.apply(picture(seed), random(seed), picture(seed + 1));
      expect(values).toEqual(picture(seed).values);
      expect(target ? target.indexOf(1) : label).toBe(seed % 4);
    }
  });

  it("gives finite values, inside the range where it promises one", () => {
    for (const seed of seeds) {
      const { values } = strong.apply(picture(seed), random(seed), picture(seed + 1));
      expect(values.every(Number.isFinite)).toBe(true);
      if (keepsRange) expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it("takes one channel", () => {
    const gray = picture(5, 1, 1);
    const whole = name === "normalise" ? normalise({ mean: [0.5], std: [0.25] }) : strong;
    expect(whole.apply(gray, random(2), picture(6, 2, 1)).values).toHaveLength(99);
  });
});

describe("what single augmentations do", () => {
  const row = (values: readonly number[], label = 0): Picture => ({
    channels: 1,
    height: 1,
    width: values.length,
    values: Float32Array.from(values),
    label,
  });

  it("a crop moves the picture and fills with the colour of each channel", () => {
    const given: Picture = { channels: 2, height: 1, width: 2, values: Float32Array.of(1, 2, 3, 4), label: 0 };
    const seen = new Set(
      seeds.map((seed) =>
        [...randomCrop({ padding: 1, fill: [8, 9] }).apply(given, random(seed), given).values].join(),
      ),
    );
    expect([...seen].sort()).toEqual(["1,2,3,4", "2,8,4,9", "8,1,9,3", "8,8,9,9"]);
  });

  it("a flip exchanges left and right", () => {
    expect([...horizontalFlip({ probability: 1 }).apply(row([1, 2, 3]), random(0), row([])).values]).toEqual([3, 2, 1]);
  });

  it("mixup weighs pictures and labels alike", () => {
    for (const seed of seeds) {
      const { values, target, label } = mixup({ classes: 2, alpha: 1 }).apply(row([0]), random(seed), row([1], 1));
      expect(target![1]).toBeCloseTo(values[0]!, 6);
      expect(target![0]! + target![1]!).toBeCloseTo(1, 6);
      expect(label).toBeUndefined();
    }
  });

  it("cutmix weighs labels by the pixels that are seen", () => {
    const [zeros, ones] = [0, 1].map((value) => ({ ...picture(0, value), values: new Float32Array(297).fill(value) }));
    for (const seed of seeds) {
      const { values, target } = cutmix({ classes: 2 }).apply(zeros!, random(seed), ones!);
      expect(target![1]).toBeCloseTo(values.reduce((sum, x) => sum + x, 0) / 297, 5);
    }
  });

  it("mixed labels can be mixed again", () => {
    const once = mixup({ classes: 4, alpha: 1 }).apply(picture(1), random(1), picture(2));
    const twice = cutmix({ classes: 4 }).apply(once, random(2), once);
    for (const [i, value] of twice.target!.entries()) expect(value).toBeCloseTo(once.target![i]!, 6);
  });

  it("the share of mixup has the moments of Beta(α, α)", () => {
    for (const alpha of [0.2, 1, 4]) {
      const shares = Array.from(
        { length: 4000 },
        (_, i) => mixup({ classes: 2, alpha }).apply(row([1]), random(9, i), row([0], 1)).values[0]!,
      );
      const mean = shares.reduce((sum, x) => sum + x, 0) / shares.length;
      const variance = shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / shares.length;
      expect(mean).toBeCloseTo(0.5, 1);
      expect(variance / (1 / (4 * (2 * alpha + 1)))).toBeCloseTo(1, 0);
      expect(Math.abs(variance / (1 / (4 * (2 * alpha + 1))) - 1)).toBeLessThan(0.1);
    }
  });

  it("cutout and erasing change one rectangle", () => {
    for (const augmentation of [cutout({ size: 4, fill: 7 }), randomErasing({ probability: 1, fill: 7 })]) {
      for (const seed of seeds) {
        const { values } = augmentation.apply(picture(3), random(seed), picture(3));
        const rows = Array.from({ length: 9 }, (_, y) => [...values.subarray(y * 11, y * 11 + 11)].map((x) => x === 7));
        const patterns = new Set(rows.map(String));
        expect(patterns.size).toBeLessThanOrEqual(2);
        expect(rows.flat().filter(Boolean).length).toBeGreaterThan(0);
      }
    }
  });

  it("RandAugment undoes and redoes the normalisation", () => {
    const statistics = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };
    const { apply } = randAugment({ magnitude: 0.8 });
    const normalised = normalise(statistics).apply(picture(4), random(0), picture(4));
    const direct = normalise(statistics).apply(apply(picture(4), random(11), picture(4)), random(0), picture(4));
    const undone = randAugment({ magnitude: 0.8, ...statistics }).apply(normalised, random(11), normalised);
    for (const [i, value] of undone.values.entries()) expect(value).toBeCloseTo(direct.values[i]!, 2);
  });
});

describe("settings that do not fit", () => {
  it("are refused", () => {
    expect(() => randomCrop({ padding: -1 })).toThrow(UsageError);
    expect(() => horizontalFlip({ probability: 2 })).toThrow(UsageError);
    expect(() => randAugment({ magnitude: 1.5 })).toThrow(UsageError);
    expect(() => randomErasing({ area: [0.5, 0.1] })).toThrow(UsageError);
    expect(() => randomErasing({ ratio: 0.5 })).toThrow(UsageError);
    expect(() => mixup({ classes: 0 })).toThrow(UsageError);
    expect(() => cutmix({ classes: 2, alpha: Number.NaN })).toThrow(UsageError);
    expect(() => normalise({ std: [0] })).toThrow(UsageError);
    expect(() => mixup({ classes: 2 }).apply(picture(3), random(1), picture(1))).toThrow(DataError);
  });
});
