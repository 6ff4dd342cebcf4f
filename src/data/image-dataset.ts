/** @file A dataset of images: the step from pictures to tensors that all image formats share. */
import { checkOptions, type OptionNames } from "../options.ts";
import { type Dataset, datasetOf, type InputPort, mapSource, type Source } from "./dataset.ts";
import { fitToModel } from "./fit.ts";
import type { Image } from "./image.ts";
import { preprocessor } from "./preprocess.ts";
import type { PreprocessSpec } from "./preprocess-spec.ts";
import { type PresetName, parsePreprocess } from "./presets.ts";

export interface ImageSample {
  readonly image: Image;
  readonly label?: number;
  readonly source: string;
}

export interface ImageOptions {
  /** A preset's name or a specification. */
  readonly preprocess?: PresetName | PreprocessSpec;
  /** The model's input that the images are for: its name, layout, size and dtype are taken over. */
  readonly port?: InputPort;
}

/** The name of the input when no model is given. */
export const defaultInputName = "input";

export const imageOptionsNames: OptionNames<ImageOptions> = { preprocess: true, port: true };

/** Images turned into tensors one at a time. Without `preprocess`, `fallback` is used and stated as an assumption. */
export function imageDataset(source: Source<ImageSample>, options: ImageOptions, fallback: PresetName): Dataset {
  checkOptions(options, imageOptionsNames);
  const { preprocess, port } = options;
  const given = parsePreprocess(preprocess ?? fallback);
  const fitted = port ? fitToModel(given, port) : { spec: given, assumptions: [] };
  const apply = preprocessor(fitted.spec);
  const name = port?.name ?? defaultInputName;
  const unnamed = preprocess === undefined ? [`no preprocessing was given; the preset "${fallback}" is used`] : [];
  const assumptions = [...(source.assumptions ?? []), ...unnamed, ...fitted.assumptions];
  return datasetOf({
    ...mapSource(source, ({ image, label, source: from }) => ({
      inputs: new Map([[name, apply(image)]]),
      ...(label !== undefined && { label }),
      source: from,
    })),
    assumptions,
  });
}
