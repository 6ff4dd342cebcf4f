/** @file What a file is that is no model: told by its first bytes, so that an error can speak of the user's file. */

/** How files begin that are taken for models, and what to do about each. */
const beginnings: readonly (readonly [begins: RegExp, what: string, hint: string])[] = [
  [
    /^PK\x03\x04/,
    "a zip archive, as PyTorch and Keras write",
    "Export it to ONNX first: torch.onnx.export or tf2onnx.",
  ],
  [/^\x80[\x02-\x05]/, "a Python pickle", "Export it to ONNX first: torch.onnx.export, or skl2onnx for scikit-learn."],
  [/^\x89HDF/, "an HDF5 file, as Keras writes", "Export it to ONNX first, with tf2onnx."],
  [/^.{4}TFL3/s, "a TensorFlow Lite model", "Export it to ONNX first, with tf2onnx."],
  [/^.{4}ORTM/s, "a model in ONNX Runtime's own format", "Give the .onnx file that it was made of."],
  [/^.{8}\{"/s, "a safetensors file: weights without a network", "Give the .onnx file of the network."],
  [/^GGUF/, "a GGUF file", "Give an ONNX export of the network."],
  [/^\x1f\x8b/, "a gzip archive", "Unpack it first."],
  [/^\x89PNG|^\xff\xd8\xff|^GIF8/, "a picture", "Pictures are given with --data."],
  [/^version https:\/\/git-lfs/, "the pointer of a file in Git LFS", "Fetch the file itself: git lfs pull."],
  [/^\s*<(!doctype|html)/i, "a web page", "Download the file itself, not the page that shows it."],
];

export interface ForeignFile {
  readonly what: string;
  readonly hint: string;
}

/** What else the bytes are, where they tell. */
export function foreignFile(bytes: Uint8Array): ForeignFile | undefined {
  if (bytes.length === 0) return { what: "an empty file", hint: "Was the export or the download interrupted?" };
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  const found = beginnings.find(([begins]) => begins.test(start));
  if (found) return { what: found[1], hint: found[2] };
  const isText = /^[\t\n\r\x20-\x7e]+$/.test(start);
  return isText ? { what: "a text file", hint: "Give the .onnx file of a network." } : undefined;
}
