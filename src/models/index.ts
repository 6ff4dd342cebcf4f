/** @file Networks. One network is one file and one line in `models`; the law iterates over it. */
import { gpt } from "./gpt.ts";
import { imagenetResnet } from "./imagenet-resnet.ts";
import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import { resnet } from "./resnet.ts";
import { vit } from "./vit.ts";

/** Every network under its name. The first argument gives the initial values. */
export const models = { mlp, lenet, resnet, imagenetResnet, vit, gpt } as const;

export type ModelName = keyof typeof models;

export type { GptOptions } from "./gpt.ts";
export type { ImagenetResnetOptions } from "./imagenet-resnet.ts";
export type { LenetOptions } from "./lenet.ts";
export type { MlpModelOptions } from "./mlp.ts";
export type { ResnetOptions } from "./resnet.ts";
export type { VitOptions } from "./vit.ts";
export { gpt, imagenetResnet, lenet, mlp, resnet, vit };
