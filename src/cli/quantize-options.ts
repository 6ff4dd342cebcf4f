/** @file From the options of `lithe quantize` to those of the quantizer. */

import type { Console } from "../job/console.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import type { QuantizeEvent, QuantizeOptions } from "../quantize/index.ts";
import { cpuSaturates, type ExecutionProvider, openSession } from "../runtime/index.ts";
import type { QuantizeFlags } from "./quantize-flags.ts";

export async function quantizeOptions(
  flags: QuantizeFlags,
  data: LoadedData,
  { signal, progress }: Console,
): Promise<QuantizeOptions> {
  const { form, rounding = "nearest", observer, threads } = flags;
  const onEvent = (event: QuantizeEvent): void => show(event, progress);
  const calibration = async function* () {
    for await (const { feeds } of data.calibration()) yield feeds;
  };
  const choice = { ...(flags.exclude && { exclude: flags.exclude }), ...(flags.include && { include: flags.include }) };
  const common = { open: openSession, calibration, threads, signal, onEvent, rounding, ...choice };
  if (form === "dynamic") return { form, ...choice };
  if (form === "float16") return { form, ...choice };
  if (form === "static") {
    const weightBits = flags.weightBits === "auto" ? await defaultBits(flags.ep) : (Number(flags.weightBits) as 7 | 8);
    return {
      form,
      ...common,
      observer,
      weightBits,
      perChannel: !flags.perTensor,
      equalization: flags.equalize === true,
      biasCorrection: flags.biasCorrection === true,
    };
  }
  const { symmetric = false, format, convolutions = false } = flags;
  const layout = {
    bits: Number(flags.bits) as 2 | 4 | 8,
    blockSize: Number(flags.blockSize) as 16 | 32 | 64 | 128 | 256,
  };
  return { form, ...common, ...layout, symmetric, format, convolutions };
}

async function defaultBits(ep: ExecutionProvider): Promise<7 | 8> {
  return ep === "cpu" && (await cpuSaturates()) ? 7 : 8;
}

function show(event: QuantizeEvent, progress: Console["progress"]): void {
  if (event.type === "calibrate") progress({ stage: "calibrate", done: event.batch, total: 0 });
  if (event.type === "moments") progress({ stage: "statistics", done: event.batch, total: 0 });
  if (event.type === "round") progress({ stage: "round", done: event.done, total: event.total, detail: event.node });
}
