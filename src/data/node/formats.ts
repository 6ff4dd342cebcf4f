/** @file Node only: the data formats, in the order in which they are asked whether a path is theirs. */
import { cifar } from "./cifar.ts";
import { csv } from "./csv.ts";
import type { DataFormat } from "./format.ts";
import { idx } from "./idx.ts";
import { imageFolder } from "./image-folder.ts";
import { jsonl } from "./jsonl.ts";
import { npy } from "./npy.ts";
import { npz } from "./npz.ts";
import { safetensors } from "./safetensors.ts";

export const dataFormats: readonly DataFormat[] = [imageFolder, idx, cifar, csv, npy, npz, safetensors, jsonl];
