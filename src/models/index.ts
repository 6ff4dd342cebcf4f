/** @file Networks. One network is one file and one line in `models`; the law iterates over it. */
import { bert } from "./bert.ts";
import { googlenet } from "./googlenet.ts";
import { gpt } from "./gpt.ts";
import { imagenetResnet } from "./imagenet-resnet.ts";
import { imagenetVgg } from "./imagenet-vgg.ts";
import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import { mobilenetV1 } from "./mobilenet-v1.ts";
import { mobilenetV2 } from "./mobilenet-v2.ts";
import { mobilenetV3 } from "./mobilenet-v3.ts";
import { msdnet } from "./msdnet.ts";
import { nin } from "./nin.ts";
import { paraFormer } from "./para-former.ts";
import { paraGpt } from "./para-gpt.ts";
import { paraResnet } from "./para-resnet.ts";
import { quasiRecurrent } from "./quasi-recurrent.ts";
import { recurrent } from "./recurrent.ts";
import { reformer } from "./reformer.ts";
import { resnet } from "./resnet.ts";
import { shufflenet } from "./shufflenet.ts";
import { shufflenetV2 } from "./shufflenet-v2.ts";
import { sliced } from "./sliced.ts";
import { squeezenet } from "./squeezenet.ts";
import { vgg } from "./vgg.ts";
import { vit } from "./vit.ts";

/** Every network under its name. The first argument gives the initial values. */
export const models = {
  mlp,
  lenet,
  resnet,
  imagenetResnet,
  mobilenetV2,
  msdnet,
  vgg,
  vit,
  gpt,
  paraFormer,
  paraGpt,
  paraResnet,
  nin,
  imagenetVgg,
  googlenet,
  squeezenet,
  mobilenetV1,
  mobilenetV3,
  shufflenet,
  shufflenetV2,
  recurrent,
  quasiRecurrent,
  sliced,
  bert,
  reformer,
} as const;

export type ModelName = keyof typeof models;

export { type BertOptions, type BertShape, bertShapes } from "./bert.ts";
export type { GooglenetOptions } from "./googlenet.ts";
export { type GptBody, type GptOptions, gptAround, gptBlock, gptOptionsNames } from "./gpt.ts";
export type { ImagenetResnetOptions } from "./imagenet-resnet.ts";
export type { ImagenetVggOptions } from "./imagenet-vgg.ts";
export type { LenetOptions } from "./lenet.ts";
export type { MlpModelOptions } from "./mlp.ts";
export type { MobilenetV1Options } from "./mobilenet-v1.ts";
export type { MobilenetV2Options } from "./mobilenet-v2.ts";
export type { MobilenetV3Options } from "./mobilenet-v3.ts";
export type { MsdnetOptions } from "./msdnet.ts";
export type { NinOptions } from "./nin.ts";
export type { ParaFormerOptions } from "./para-former.ts";
export type { ParaGptOptions } from "./para-gpt.ts";
export type { ParaResnetOptions } from "./para-resnet.ts";
export type { QuasiRecurrentOptions } from "./quasi-recurrent.ts";
export type { RecurrentModelOptions } from "./recurrent.ts";
export type { ReformerOptions } from "./reformer.ts";
export type { ResnetOptions } from "./resnet.ts";
export type { SequenceInput } from "./sequence-input.ts";
export type { ShufflenetOptions } from "./shufflenet.ts";
export type { ShufflenetV2Options } from "./shufflenet-v2.ts";
export type { SlicedOptions } from "./sliced.ts";
export type { SqueezenetOptions } from "./squeezenet.ts";
export type { VggOptions } from "./vgg.ts";
export type { VitOptions } from "./vit.ts";
export {
  bert,
  googlenet,
  gpt,
  imagenetResnet,
  imagenetVgg,
  lenet,
  mlp,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3,
  msdnet,
  nin,
  paraFormer,
  paraGpt,
  paraResnet,
  quasiRecurrent,
  recurrent,
  reformer,
  resnet,
  shufflenet,
  shufflenetV2,
  sliced,
  squeezenet,
  vgg,
  vit,
};
