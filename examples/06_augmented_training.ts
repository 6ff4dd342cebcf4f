/** Trains on pictures that two threads read and augment, among them by an augmentation of one's own. */
import {
  type Augmentation,
  fromRecipe,
  glyphs,
  horizontalFlip,
  mixup,
  partition,
  random,
  randomCrop,
} from "litheml/data";
import { resnet } from "litheml/models";
import { fit } from "litheml/train";

const pictures = glyphs({ split: "train", size: 400 });
const { training, validation } = await partition(pictures, { training: "rest", validation: 80 }, 1);
const negative = await fromRecipe<Augmentation>({
  module: new URL("06_negative.mjs", import.meta.url).href,
  export: "negative",
  arguments: [{ probability: 0.1 }],
});

const run = fit(resnet(random(1), { depth: 8, width: 4 }), {
  data: training,
  augment: [randomCrop({ padding: 2 }), horizontalFlip(), negative, mixup({ classes: 10 })],
  workers: 2,
  evaluate: { data: validation, metrics: ["accuracy"], loss: "crossEntropy" },
  epochs: 2,
  batch: 16,
  loss: "softCrossEntropy",
  optimizer: "adamw",
  learningRate: 5e-3,
  schedule: "warmup",
});
for await (const event of run) if (event.type === "evaluation") console.log(event.epoch, event.metrics);
console.log((await run.result).report.parameters, "parameters");
