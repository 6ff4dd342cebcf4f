/** @file Node only: JSON lines of tensors. */
import { jsonlDataset } from "../formats/jsonl.ts";
import { openFile } from "./files.ts";
import { type DataFormat, portList } from "./format.ts";

export const jsonl: DataFormat = {
  name: "JSONL",
  recognisedBy: 'a file *.jsonl, one sample {"inputs": {…}, "label"?} per line',
  options: ["port"],
  recognises: ({ kind, name }) => kind === "file" && name.endsWith(".jsonl"),
  open: ({ path }, { port }) => jsonlDataset(() => openFile(path), portList(port)),
};
