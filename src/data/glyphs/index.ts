/** @file The embedded data set: 32×32 colour pictures of ten glyphs, drawn when they are asked for. */
import { nth } from "../../checked.ts";
import { ensure, UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import type { Dataset, Source } from "../dataset.ts";
import { type ImageOptions, type ImageSample, imageDataset, imageOptionsNames } from "../image-dataset.ts";
import { random } from "../random.ts";
import { ownRecipe } from "../recipe.ts";
import { drawGlyph } from "./draw-glyph.ts";
import { glyphNames } from "./shapes.ts";

/** Disjoint parts: each draws from its own random streams. */
export const glyphSplits = ["train", "calibration", "test"] as const;
export type GlyphSplit = (typeof glyphSplits)[number];

export interface GlyphOptions extends ImageOptions {
  readonly split: GlyphSplit;
  /** Number of pictures. */
  readonly size: number;
  readonly seed?: number;
}

/**
 * Pictures of ten classes in turn (the label is the position modulo ten), with random warps, stroke widths, colours,
 * clutter, blur and noise. A picture depends on seed, split and position only. The default preprocessing is the preset
 * `glyphs`, that of the demo network.
 */
export function glyphs(options: GlyphOptions): Dataset {
  const data = imageDataset(
    glyphImages(options),
    { preprocess: "glyphs", ...pickOptions<ImageOptions>(options, imageOptionsNames) },
    "glyphs",
  );
  return { ...data, recipe: ownRecipe("glyphs", options) };
}

const glyphOptionsNames: OptionNames<GlyphOptions> = {
  split: true,
  size: true,
  seed: true,
  preprocess: true,
  port: true,
};

/** The same as images. */
export function glyphImages(options: GlyphOptions): Source<ImageSample> {
  const { split, size, seed = 0 } = checkOptions(options, glyphOptionsNames);
  const stream = glyphSplits.indexOf(split);
  ensure(
    stream >= 0,
    () => new UsageError("the demo set has no such split", { expected: glyphSplits.join(", "), got: String(split) }),
  );
  ensure(
    Number.isSafeInteger(size) && size >= 0 && size <= 2 ** 32,
    () => new UsageError("a data set's size is a whole number", { expected: "0 to 2^32", got: `${size}` }),
  );
  const labelOf = (position: number) => position % glyphNames.length;
  return {
    size,
    classes: glyphNames,
    labels: async () => new Uint8Array(size).map((_, position) => labelOf(position)),
    open: () => ({
      read(position) {
        const label = labelOf(position);
        const image = drawGlyph(nth(glyphNames, label), random(seed, stream, position));
        return { image, label, source: `${split} glyph ${position}` };
      },
    }),
  };
}
