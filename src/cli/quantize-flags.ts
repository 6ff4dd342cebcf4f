/** @file The options of `lithe quantize`, and what they must have beside each other. */
import { type Command, Option } from "commander";
import { UsageError } from "../errors.ts";
import { among, only } from "../job/settings/conditions.ts";
import {
  choice,
  type DataOptions,
  declareData,
  declareRuntime,
  names,
  type RuntimeOptions,
} from "../job/settings/options.ts";
import { type Bounds, declareBounds } from "../job/verify/bounds.ts";
import { LARGEST_ERROR } from "../measure/index.ts";
import { observers, type QuantizeOptions, quantizers, roundings } from "../quantize/index.ts";

/** Those that only some forms have are there for these. */
export interface QuantizeFlags extends RuntimeOptions, DataOptions, Bounds {
  readonly form: QuantizeOptions["form"];
  readonly observer: keyof typeof observers;
  readonly rounding?: keyof typeof roundings;
  readonly weightBits: "auto" | "7" | "8";
  readonly perTensor?: boolean;
  readonly equalize?: boolean;
  readonly biasCorrection?: boolean;
  readonly bits: "2" | "4" | "8";
  readonly blockSize: "16" | "32" | "64" | "128" | "256";
  readonly symmetric?: boolean;
  readonly format: "matmul-nbits" | "dequantize";
  readonly convolutions?: boolean;
  readonly exclude?: readonly string[];
  readonly include?: readonly string[];
  readonly out?: string;
  readonly dryRun?: boolean;
}

const integer = among("--form", "static");
const rounded = among("--form", "static", "weight-only");
const blocked = among("--form", "weight-only");

export function declareQuantize(command: Command): void {
  declareData(declareRuntime(command.argument("<model>", "an .onnx file"))).addOption(
    choice("--form <form>", "what is stored and computed in fewer bits", Object.keys(quantizers)).makeOptionMandatory(),
  );
  for (const option of formOptions()) command.addOption(option);
  command
    .option("--exclude <names>", "nodes that stay in float, `head,block1/*`", names)
    .option("--include <names>", "only these nodes", names)
    .option("-o, --out <file>", "the file to write")
    .option("--dry-run", "check everything and say what would be done");
  declareBounds(command, LARGEST_ERROR);
}

/** Those that some forms have. */
function formOptions(): Option[] {
  const sizes = ["16", "32", "64", "128", "256"];
  const formats = ["matmul-nbits", "dequantize"];
  return [
    only(integer, choice("--observer <name>", "how ranges are found", Object.keys(observers), "min-max")),
    only(rounded, choice("--rounding <name>", "how weights are rounded", Object.keys(roundings), "nearest")),
    only(integer, choice("--weight-bits <bits>", "7 avoids saturation", ["auto", "7", "8"], "auto")),
    only(integer, new Option("--per-tensor", "one scale per weight tensor")),
    only(integer, new Option("--equalize", "cross-layer equalization")),
    only(integer, new Option("--bias-correction", "move output means to where they were")),
    only(blocked, choice("--bits <bits>", "of each weight", ["2", "4", "8"], "4")),
    only(blocked, choice("--block-size <n>", "inputs that share a scale", sizes, "32")),
    only(blocked, new Option("--symmetric", "no zero points")),
    only(blocked, choice("--format <name>", "how weights are stored", formats, "matmul-nbits")),
    only(blocked, new Option("--convolutions", "convolutions too")),
  ];
}

const suffixes = { static: "_quantized", dynamic: "_quantized", "weight-only": "_q", float16: "_fp16" } as const;

/** Calibration is never made up. */
export function requireData({ form, rounding = "nearest", data }: QuantizeFlags): void {
  if (data !== undefined || (form !== "static" && rounding === "nearest")) return;
  const what = form === "static" ? "static quantization" : `${rounding} rounding`;
  throw new UsageError(`${what} needs data to calibrate on`, { expected: "--data PATH" });
}

/** Beside the model, under a name as the ecosystem has it. */
export function outputPath(path: string, { form, bits }: QuantizeFlags): string {
  return `${path.replace(/\.onnx$/, "")}${suffixes[form]}${form === "weight-only" ? bits : ""}.onnx`;
}
