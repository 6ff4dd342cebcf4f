import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, LimitError, UsageError } from "../errors.ts";
import { floatsOf, typedArray } from "../ir/index.ts";
import { fitToModel } from "./fit.ts";
import { centerCrop, type Image, parsePreprocess, preprocess, presets, resample, toGray } from "./index.ts";

/** Pixel (x, y) of channel c has the value 10 y + x + 100 c. */
function ramp(width: number, height: number, channels: 1 | 3 = 3): Image {
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    return 10 * y + x + 100 * c;
  });
  return { width, height, channels, pixels };
}

const values = (image: Image, spec: Parameters<typeof preprocess>[1]) => Array.from(floatsOf(preprocess(image, spec)));

describe("preprocess", () => {
  it("lays out planes or interleaved channels, in RGB or BGR", () => {
    const image = ramp(2, 1);
    expect(values(image, {})).toEqual([0, 1, 100, 101, 200, 201]);
    expect(values(image, { layout: "nhwc" })).toEqual([0, 100, 200, 1, 101, 201]);
    expect(values(image, { channels: "bgr" })).toEqual([200, 201, 100, 101, 0, 1]);
    expect(preprocess(ramp(4, 3), { layout: "nhwc" }).dims).toEqual([3, 4, 3]);
  });

  it("computes (pixel · scale − mean) / std in float32", () => {
    const [value] = values(ramp(1, 1), { ...presets.cifar10 });
    expect(value).toBe(Math.fround(Math.fround(0 - Math.fround(0.485)) / Math.fround(0.229)));
    const [r, g, b] = values(ramp(1, 1), { channels: "bgr", mean: [104, 117, 123] });
    expect([r, g, b]).toEqual([96, -17, -123]);
  });

  it("scales by 1/255 as a division by 255 does", () => {
    for (let pixel = 0; pixel < 256; pixel++) expect(Math.fround(pixel * (1 / 255))).toBe(Math.fround(pixel / 255));
  });

  it("has luminance 0.299, 0.587, 0.114", () => {
    const image: Image = { width: 3, height: 1, channels: 3, pixels: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255) };
    expect([...toGray(image).pixels]).toEqual([76, 150, 29]);
    expect(values(ramp(1, 1, 1), { channels: "rgb" })).toEqual([0, 0, 0]);
  });

  it("stores other dtypes", () => {
    const half = preprocess(ramp(2, 1, 1), { dtype: "float16" });
    expect([...(typedArray(half) as Uint16Array)]).toEqual([0, 0x3c00]);
    expect([...(typedArray(preprocess(ramp(2, 1, 1), { dtype: "uint8" })) as Uint8Array)]).toEqual([0, 1]);
    expect([...(typedArray(preprocess(ramp(2, 1, 1), { dtype: "int64" })) as BigInt64Array)]).toEqual([0n, 1n]);
  });

  it("crops the middle, odd margins rounded to even", () => {
    expect([...centerCrop(ramp(5, 1, 1), 2, 1).pixels]).toEqual([2, 3]);
    expect([...centerCrop(ramp(3, 1, 1), 2, 1).pixels]).toEqual([0, 1]);
    expect(() => centerCrop(ramp(3, 3), 4, 2)).toThrow(DataError);
  });

  it("resizes the shorter side", () => {
    expect(preprocess(ramp(8, 4), { resize: { shorter: 2 } }).dims).toEqual([3, 2, 4]);
    expect(preprocess(ramp(3, 7), { resize: { shorter: 2 } }).dims).toEqual([3, 4, 2]);
  });

  it("refuses statistics that fit no channel", () => {
    expect(() => preprocess(ramp(1, 1), { mean: [1, 2] })).toThrow(DataError);
  });
});

describe("resample", () => {
  it("averages when it shrinks and interpolates when it grows", () => {
    const image: Image = { width: 4, height: 1, channels: 1, pixels: Uint8Array.of(0, 100, 200, 40) };
    expect([...resample(image, 2, 1, "box").pixels]).toEqual([50, 120]);
    // Triangle of half width 2 around 1 and 3: weights 3, 3, 1 and 1, 3, 3 over 7.
    expect([...resample(image, 2, 1, "bilinear").pixels]).toEqual([71, 117]);
    const two: Image = { width: 2, height: 1, channels: 1, pixels: Uint8Array.of(0, 100) };
    expect([...resample(two, 4, 1, "bilinear").pixels]).toEqual([0, 25, 75, 100]);
  });

  it("refuses a size with too many pixels, of the result or between columns and rows", () => {
    expect(() => preprocess(ramp(1, 5000, 1), { resize: { shorter: 16384 } })).toThrow(LimitError);
    expect(() => preprocess(ramp(1, 1, 1), { resize: { width: 16384, height: 16384 } })).toThrow(
      /16384×16384 from 1×1/,
    );
    expect(() => resample(ramp(2, 100_000, 1), 16384, 1, "box")).toThrow(LimitError);
  });

  it("keeps a constant image constant", () => {
    const side = fc.integer({ min: 1, max: 20 });
    const filter = fc.constantFrom("box", "bilinear", "bicubic", "lanczos" as const);
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: 0, max: 255 }), filter, (w, h, w2, h2, level, f) => {
        const image: Image = { width: w, height: h, channels: 1, pixels: new Uint8Array(w * h).fill(level) };
        const result = resample(image, w2, h2, f as "box");
        return result.pixels.length === w2 * h2 && result.pixels.every((pixel) => pixel === level);
      }),
    );
  });
});

describe("parsePreprocess", () => {
  it("takes presets and data", () => {
    expect(parsePreprocess("imagenet")).toBe(presets.imagenet);
    expect(parsePreprocess({ resize: { shorter: 8 }, std: [2] })).toEqual({ resize: { shorter: 8 }, std: [2] });
    for (const preset of Object.values(presets)) expect(parsePreprocess(preset)).toEqual(preset);
  });

  it.each([
    ["an unknown key", { size: 3 }, /"size".*|resize, filter, crop/],
    ["an unknown preset", "imagenette", /imagenet, cifar10/],
    ["an inherited name", "constructor", /imagenet/],
    ["a nested unknown key", { resize: { longer: 3 } }, /resize/],
    ["a zero deviation", { std: [0] }, /std/],
    ["no object", 7, /wrong/],
  ])("refuses %s", (_, value, message) => {
    expect(() => parsePreprocess(value)).toThrow(UsageError);
    expect(() => parsePreprocess(value)).toThrow(message);
  });
});

describe("fitToModel", () => {
  const port = (dims: (number | string)[], dtype = "float32") => ({ name: "x", dtype: dtype as "float32", dims });

  it("keeps the ratio of resize to crop", () => {
    const { spec, assumptions } = fitToModel(presets.imagenet, port(["n", 3, 176, 176]));
    expect(spec.resize).toEqual({ shorter: 201 });
    expect(spec.crop).toEqual({ width: 176, height: 176 });
    expect(assumptions).toHaveLength(2);
  });

  it("says nothing when the model wants what is given", () => {
    expect(fitToModel(presets.imagenet, port([1, 3, 224, 224]))).toEqual({ spec: presets.imagenet, assumptions: [] });
  });

  it("takes layout, channels, size and dtype from the model", () => {
    expect(fitToModel(presets.imagenet, port(["n", 96, 96, 3])).spec.layout).toBe("nhwc");
    const gray = fitToModel(presets.cifar10, port([1, 1, 32, 32])).spec;
    expect(gray.channels).toBe("gray");
    expect(gray.mean![0]).toBeCloseTo(0.449);
    expect(fitToModel(presets.imagenet, port(["n", 3, 40, 60])).spec).toMatchObject({
      resize: { width: 60, height: 40 },
    });
    const pixels = fitToModel(presets.imagenet, port([1, 3, 224, 224], "uint8")).spec;
    expect(pixels.dtype).toBe("uint8");
    expect(pixels.mean).toBeUndefined();
    expect(fitToModel(presets.imagenet, port(["n", 3, "h", "w"])).assumptions[0]).toContain("224×224");
  });

  it("refuses inputs that are no image", () => {
    expect(() => fitToModel(presets.imagenet, port(["n", 128]))).toThrow(DataError);
    expect(() => fitToModel(presets.imagenet, port([1, 5, 32, 32]))).toThrow(DataError);
  });
});
