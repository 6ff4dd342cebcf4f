/** @file Networks. One network is one file and one line in `models`; the law iterates over it. */
import { gpt } from "./gpt.ts";
import { imagenetResnet } from "./imagenet-resnet.ts";
import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import { mobilenetV2 } from "./mobilenet-v2.ts";
import { msdnet } from "./msdnet.ts";
import { paraFormer } from "./para-former.ts";
import { paraGpt } from "./para-gpt.ts";
import { paraResnet } from "./para-resnet.ts";
import { resnet } from "./resnet.ts";
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
} as const;

export type ModelName = keyof typeof models;

export { type GptBody, type GptOptions, gptAround, gptBlock, gptOptionsNames } from "./gpt.ts";
export type { ImagenetResnetOptions } from "./imagenet-resnet.ts";
export type { LenetOptions } from "./lenet.ts";
export type { MlpModelOptions } from "./mlp.ts";
export type { MobilenetV2Options } from "./mobilenet-v2.ts";
export type { MsdnetOptions } from "./msdnet.ts";
export type { ParaFormerOptions } from "./para-former.ts";
export type { ParaGptOptions } from "./para-gpt.ts";
export type { ParaResnetOptions } from "./para-resnet.ts";
export type { ResnetOptions } from "./resnet.ts";
export type { VggOptions } from "./vgg.ts";
export type { VitOptions } from "./vit.ts";
export { gpt, imagenetResnet, lenet, mlp, mobilenetV2, msdnet, paraFormer, paraGpt, paraResnet, resnet, vgg, vit };
