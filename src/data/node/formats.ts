/** @file Node only: the data formats, in the order in which they are asked whether a path is theirs. */
import { cifar } from "./cifar.ts";
import type { DataFormat } from "./format.ts";
import { idx } from "./idx.ts";
import { imageFolder } from "./image-folder.ts";

export const dataFormats: readonly DataFormat[] = [imageFolder, idx, cifar];
