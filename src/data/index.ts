export * from "./augment/index.ts";
export { type Batch, type BatchOptions, batches, batchOf } from "./batches.ts";
export type { ByteSource } from "./bytes.ts";
export { checkDatasetLabels } from "./check-labels.ts";
export { collect } from "./collect.ts";
export * from "./dataset.ts";
export { demoModelPath, demoModelUrl } from "./demo.ts";
export type { FittedSpec } from "./fit.ts";
export { type CsvOptions, csvDataset } from "./formats/csv.ts";
export type { IdxHeader } from "./formats/idx.ts";
export { jsonlDataset } from "./formats/jsonl.ts";
export { encodeNpy, type NpyHeader, readNpy } from "./formats/npy.ts";
export { encodeSafetensors, readSafetensors, type Safetensors } from "./formats/safetensors.ts";
export { type GlyphOptions, type GlyphSplit, glyphImages, glyphs } from "./glyphs/index.ts";
export { type GlyphName, glyphNames } from "./glyphs/shapes.ts";
export * from "./image.ts";
export { type ImageOptions, type ImageSample, imageDataset } from "./image-dataset.ts";
export { inMemory } from "./in-memory.ts";
export { type BatchForm, type BatchRequest, loadBatch } from "./load/load-batch.ts";
export { type BatchLoader, inlineLoader } from "./load/loader.ts";
export { type LoaderOptions, openLoader } from "./load/open-loader.ts";
export { mapSamples, type SampleTransform } from "./map-samples.ts";
export { type MixtureOptions, mixture } from "./mixture.ts";
export { numbered } from "./numbered.ts";
export { type OpenOptions, openData } from "./open-data.ts";
export { prefetch } from "./prefetch.ts";
export { preprocess, preprocessor } from "./preprocess.ts";
export { type PreprocessSpec, parsePreprocessSpec } from "./preprocess-spec.ts";
export { type PresetName, parsePreprocess, presets } from "./presets.ts";
export * from "./random.ts";
export { fromRecipe, type Recipe } from "./recipe.ts";
export { type ResampleFilter, resample } from "./resample.ts";
export {
  partition,
  type Split,
  type SplitOptions,
  shuffleSamples,
  split,
} from "./split.ts";
export type { NamedArrays, StoredArray } from "./stored-array.ts";
export { type NumberRange, type SyntheticFeeds, type SyntheticOptions, syntheticFeeds } from "./synthetic.ts";
export * from "./text/index.ts";
