/** @file Node only: safetensors files as data, one tensor per input and one of labels. */
import { basename } from "node:path";
import { safetensorsArrays } from "../formats/safetensors.ts";
import { arraysAsData } from "./arrays.ts";
import { openFile } from "./files.ts";
import type { DataFormat } from "./format.ts";

export const safetensors: DataFormat = {
  name: "safetensors",
  recognisedBy:
    'a file *.safetensors, tensors named as the inputs, samples along the first axis, labels in the tensor "labels"',
  options: ["preprocess", "labels", "port"],
  recognises: ({ kind, name }) => kind === "file" && name.endsWith(".safetensors"),
  async open({ path }, options) {
    return arraysAsData(basename(path), await safetensorsArrays(() => openFile(path)), options);
  },
};
