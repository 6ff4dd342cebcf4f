/** @file Node only: CIFAR-10's binary files. */
import { cifarImages } from "../formats/cifar.ts";
import { imageDataset } from "../image-dataset.ts";
import { openFile } from "./files.ts";
import type { DataFormat } from "./format.ts";
import { classesBeside, imageOptions } from "./image-options.ts";

export const cifar: DataFormat = {
  name: "CIFAR",
  recognisedBy: "a file *.bin of 3,073-byte records; class names from classes.json beside it",
  options: ["preprocess", "port"],
  recognises: ({ kind, name }) => kind === "file" && name.endsWith(".bin"),
  async open({ path }, options) {
    const file = await openFile(path);
    await file.close();
    const images = cifarImages(file.name, file.size, () => openFile(path), await classesBeside(path));
    return imageDataset(images, imageOptions(options), "cifar10");
  },
};
