/** @file The options of `lithe quantize`, and what they must have beside each other. */
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { observers, type QuantizeOptions, quantizers, roundings } from "../quantize/index.ts";
import { LARGEST_ERROR } from "../runtime/index.ts";
import { type Bounds, declareBounds } from "./bounds.ts";
import { choice, type DataOptions, declareData, declareRuntime, names, type RuntimeOptions } from "./options.ts";

export interface QuantizeFlags extends RuntimeOptions, DataOptions, Bounds {
  readonly form: QuantizeOptions["form"];
  readonly observer: keyof typeof observers;
  readonly rounding: keyof typeof roundings;
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

export function declareQuantize(command: Command): void {
  declareData(declareRuntime(command.argument("<model>", "an .onnx file")))
    .addOption(
      choice(
        "--form <form>",
        "what is stored and computed in fewer bits",
        Object.keys(quantizers),
      ).makeOptionMandatory(),
    )
    .addOption(choice("--observer <name>", "static: how ranges are found", Object.keys(observers), "min-max"))
    .addOption(
      choice("--rounding <name>", "static, weight-only: how weights are rounded", Object.keys(roundings), "nearest"),
    )
    .addOption(choice("--weight-bits <bits>", "static: 7 avoids saturation", ["auto", "7", "8"], "auto"))
    .option("--per-tensor", "static: one scale per weight tensor")
    .option("--equalize", "static: cross-layer equalization")
    .option("--bias-correction", "static: move output means to where they were")
    .addOption(choice("--bits <bits>", "weight-only", ["2", "4", "8"], "4"))
    .addOption(
      choice("--block-size <n>", "weight-only: inputs that share a scale", ["16", "32", "64", "128", "256"], "32"),
    )
    .option("--symmetric", "weight-only: no zero points")
    .addOption(
      choice("--format <name>", "weight-only: how weights are stored", ["matmul-nbits", "dequantize"], "matmul-nbits"),
    )
    .option("--convolutions", "weight-only: convolutions too")
    .option("--exclude <names>", "nodes that stay in float, `head,block1/*`", names)
    .option("--include <names>", "only these nodes", names)
    .option("-o, --out <file>", "the file to write")
    .option("--dry-run", "check everything and say what would be done");
  declareBounds(command, LARGEST_ERROR);
}

const suffixes = { static: "_quantized", dynamic: "_quantized", "weight-only": "_q", float16: "_fp16" } as const;

/** Calibration is never made up. */
export function requireData({ form, rounding, data }: QuantizeFlags): void {
  if (data !== undefined || (form !== "static" && rounding === "nearest")) return;
  const what = form === "static" ? "static quantization" : `${rounding} rounding`;
  throw new UsageError(`${what} needs data to calibrate on`, { expected: "--data PATH" });
}

/** Beside the model, under a name as the ecosystem has it. */
export function outputPath(path: string, { form, bits }: QuantizeFlags): string {
  return `${path.replace(/\.onnx$/, "")}${suffixes[form]}${form === "weight-only" ? bits : ""}.onnx`;
}
