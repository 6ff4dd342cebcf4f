/** @file Files as they are called where models are loaded by name: `model_q4.onnx` says how it is stored. */
import { UsageError } from "../errors.ts";
import type { Form } from "./report.ts";
import type { WeightBits } from "./weights/weight-blocks.ts";

/** What decides on the name of a file. */
export interface Stored {
  readonly form: Form;
  readonly bits?: WeightBits | undefined;
  readonly rest?: "float32" | "float16" | undefined;
}

/** How a name is made. */
interface Variant {
  fits(stored: Stored): boolean;
  /** Flags that make it. */
  readonly flags: string;
}

const blocks = (bits: WeightBits, rest: "float32" | "float16"): Variant => ({
  fits: (stored) => stored.form === "weight-only" && (stored.bits ?? 4) === bits && (stored.rest ?? "float32") === rest,
  flags: `--form weight-only --bits ${bits}${rest === "float16" ? " --rest float16" : ""}`,
});

const integers: Variant = {
  fits: ({ form }) => form === "static" || form === "dynamic",
  flags: "--form dynamic or --form static",
};

/** The names that loaders know, longest first. */
const variants = {
  quantized: integers,
  int8: integers,
  q4f16: blocks(4, "float16"),
  q2f16: blocks(2, "float16"),
  q8f16: blocks(8, "float16"),
  q3f16: blocks(3, "float16"),
  levels: { fits: ({ form }) => form === "levels", flags: "--form levels" },
  fp16: { fits: ({ form }) => form === "float16", flags: "--form float16" },
  q8: blocks(8, "float32"),
  q4: blocks(4, "float32"),
  q3: blocks(3, "float32"),
  q2: blocks(2, "float32"),
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

/** Names of forms that are not made, and what stands in their place. */
const refused: Readonly<Record<string, string>> = {
  bnb4: "Its 4-bit floats have a kernel on CPU and CUDA alone; 4-bit integers in blocks run everywhere: --form weight-only --bits 4, model_q4.onnx.",
  uint8:
    "Weights of convolutions are uint8 in --form dynamic, those of matrices int8: model_quantized.onnx, or model_int8.onnx.",
  q1: "The runtime has no 1-bit kernel: --form weight-only --bits 2, model_q2.onnx.",
  q1f16: "The runtime has no 1-bit kernel: --form weight-only --bits 2 --rest float16, model_q2f16.onnx.",
};

/** The name of what is made, where nobody asks for another. */
export function variantOf(stored: Stored): VariantName {
  const names = Object.keys(variants) as VariantName[];
  const [first = "quantized"] = names.filter((name) => variants[name].fits(stored));
  return first;
}

/**
 * A file whose name promises one form holds that form.
 *
 * @throws UsageError for a name of another form, or of one that is not made, with what to ask for instead
 */
export function checkVariant(file: string, stored: Stored): void {
  const [, word = ""] = /_([a-z0-9]+)\.onnx$/.exec(file) ?? [];
  const instead = refused[word];
  if (instead !== undefined) {
    throw new UsageError("the name promises a form that is not made", { got: file, hint: instead });
  }
  if (!Object.hasOwn(variants, word)) return;
  const { fits, flags } = variants[word as VariantName];
  if (fits(stored)) return;
  throw new UsageError("the name promises another form", {
    expected: `${flags} for a file called _${word}`,
    got: `${file} for what is called _${variantOf(stored)}`,
    hint: "Loaders choose files by these names.",
  });
}
