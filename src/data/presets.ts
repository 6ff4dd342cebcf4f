/** @file Preprocessing conventions that published networks share. */
import { UsageError } from "../errors.ts";
import { type PreprocessSpec, parsePreprocessSpec } from "./preprocess-spec.ts";

export type PresetName = "imagenet" | "cifar10" | "mnist" | "unit" | "raw" | "tf-nhwc" | "caffe" | "glyphs";

const imagenetStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** Each is plain data, so that a report can print what was done. */
export const presets: Readonly<Record<PresetName, PreprocessSpec>> = {
  /** torchvision's: shorter side 256, middle 224, RGB/255 normalised by ImageNet's statistics. */
  imagenet: {
    resize: { shorter: 256 },
    filter: "bilinear",
    crop: { width: 224, height: 224 },
    channels: "rgb",
    scale: 1 / 255,
    ...imagenetStatistics,
    layout: "nchw",
  },
  /** 32×32 RGB/255 with ImageNet's statistics, as the usual CIFAR ResNets were trained. */
  cifar10: { channels: "rgb", scale: 1 / 255, ...imagenetStatistics, layout: "nchw" },
  /** Gray/255 with the mean and deviation of MNIST's pixels. */
  mnist: { channels: "gray", scale: 1 / 255, mean: [0.1307], std: [0.3081], layout: "nchw" },
  /** Pixels in [0, 1]. */
  unit: { scale: 1 / 255 },
  /** Pixels 0…255, unchanged. */
  raw: {},
  /** Keras's "tf" mode: pixels in [−1, 1], channels last. */
  "tf-nhwc": {
    resize: { shorter: 256 },
    filter: "bilinear",
    crop: { width: 224, height: 224 },
    channels: "rgb",
    scale: 1 / 127.5,
    mean: [1],
    layout: "nhwc",
  },
  /** Caffe's: BGR 0…255 minus the mean colour. */
  caffe: {
    resize: { shorter: 256 },
    filter: "bilinear",
    crop: { width: 224, height: 224 },
    channels: "bgr",
    mean: [104, 117, 123],
    layout: "nchw",
  },
  /** The embedded demo set: 32×32 RGB in [−1, 1]. */
  glyphs: { channels: "rgb", scale: 1 / 127.5, mean: [1], layout: "nchw" },
};

/** A specification given as a preset's name or as data. What is neither is a `UsageError`. */
export function parsePreprocess(value: unknown, where = "preprocess"): PreprocessSpec {
  if (typeof value !== "string") return parsePreprocessSpec(value, where);
  if (Object.hasOwn(presets, value)) return presets[value as PresetName];
  throw new UsageError("there is no such preset", {
    expected: `one of ${Object.keys(presets).join(", ")}`,
    got: JSON.stringify(value),
    where,
  });
}
