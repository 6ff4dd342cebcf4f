/** @file Fourier transforms and mel filters. */
import { exactly, lastOf, nth } from "../checked.ts";
import { InvalidModelError } from "../errors.ts";
import { intOf, sizeOf } from "../ir/index.ts";
import { dtypeAttribute } from "./constant.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { forEachIndex, forEachLine, linesOf, normalAxis, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput, scalarInput } from "./kernel.ts";

type Complex = readonly [number, number];

/** Σ x[n]·exp(∓2πi·k·n/N) for k below `count`; the inverse divides by N. Missing samples are zero. */
function transform(samples: readonly Complex[], length: number, count: number, inverse: boolean): Complex[] {
  const sign = inverse ? 1 : -1;
  const scale = inverse ? 1 / length : 1;
  return Array.from({ length: bounded(count) }, (_, k) => {
    let [real, imaginary] = [0, 0];
    for (let n = 0; n < Math.min(length, samples.length); n++) {
      const angle = (sign * 2 * Math.PI * ((k * n) % length)) / length;
      const [re, im] = nth(samples, n);
      real += re * Math.cos(angle) - im * Math.sin(angle);
      imaginary += re * Math.sin(angle) + im * Math.cos(angle);
    }
    return [real * scale, imaginary * scale];
  });
}

/** The other half of the spectrum of a real signal: X[N − k] is the conjugate of X[k]. */
function wholeSpectrum(half: readonly Complex[], length: number): Complex[] {
  return Array.from({ length: bounded(length) }, (_, k) => {
    if (k < half.length) return nth(half, k);
    const [real, imaginary] = half[length - k] ?? [0, 0];
    return [real, -imaginary];
  });
}

/** The axis is an attribute at opset 17 and an input from opset 20 on. */
function fourier(call: Call): Dense {
  const x = inputOf(call, 0);
  const inverse = intOf(call.node, "inverse", 0) === 1;
  const oneSided = intOf(call.node, "onesided", 0) === 1;
  const given = call.version < 20 ? intOf(call.node, "axis", 1) : scalarInput(call, 2, -2);
  const axis = normalAxis(given, x.dims.length);
  const parts = lastOf(x.dims);
  const signal = x.dims.slice(0, -1);
  const from = nth(signal, axis);
  const length = scalarInput(call, 1, inverse && oneSided ? 2 * (from - 1) : from);
  const outParts = inverse && oneSided ? 1 : 2;
  const count = oneSided && !inverse ? Math.floor(length / 2) + 1 : length;
  const dims = [...signal.with(axis, count), outParts];
  const result = new Float64Array(bounded(sizeOf(dims)));
  const values = numbers(x);
  const { inner } = linesOf(signal, axis);
  forEachLine(signal, axis, (start, step, line) => {
    const read = Array.from({ length: from }, (_, i): Complex => {
      const at = (start + i * step) * parts;
      return [values[at]!, parts === 2 ? values[at + 1]! : 0];
    });
    const samples = inverse && oneSided ? wholeSpectrum(read, length) : read;
    transform(samples, length, count, inverse).forEach((value, k) => {
      const at = ((Math.floor(line / inner) * count + k) * inner + (line % inner)) * outParts;
      for (let part = 0; part < outParts; part++) result[at + part] = nth(value, part);
    });
  });
  return dense(x.dtype, dims, result);
}

/** Fourier transforms of windowed frames, one every `frame_step` samples. */
function shortTimeFourier(call: Call): Dense {
  const x = inputOf(call, 0);
  const window = optionalInput(call, 2);
  const [batch, samples] = [nth(x.dims, 0), nth(x.dims, 1)];
  const parts = x.dims[2] ?? 1;
  const step = scalarInput(call, 1, 1);
  const length = scalarInput(call, 3, window ? nth(window.dims, 0) : samples);
  const count = intOf(call.node, "onesided", 1) === 1 ? Math.floor(length / 2) + 1 : length;
  const frames = Math.floor((samples - length) / step) + 1;
  const values = numbers(x);
  const weight = (i: number): number => (window ? numbers(window)[i]! : 1);
  const result = new Float64Array(bounded(batch * frames * count * 2));
  forEachIndex([batch, frames], ([n, frame], row) => {
    const read = Array.from({ length: bounded(length) }, (_, i): Complex => {
      const at = (n * samples + frame * step + i) * parts;
      return [weight(i) * values[at]!, parts === 2 ? weight(i) * values[at + 1]! : 0];
    });
    transform(read, length, count, false).forEach(([real, imaginary], k) => {
      result[(row * count + k) * 2] = real;
      result[(row * count + k) * 2 + 1] = imaginary;
    });
  });
  return dense(x.dtype, [batch, frames, count, 2], result);
}

/** Triangles that are evenly spaced on the mel scale 2595·log₁₀(1 + f/700), over the bins of a spectrum. */
function melWeights(call: Call): Dense {
  const given = [0, 1, 2, 3, 4].map((i) => scalarInput(call, i, Number.NaN));
  const [bands, length, rate, low, high] = exactly(given, 5);
  if (Number.isNaN(high)) throw new InvalidModelError("MelWeightMatrix needs five inputs", { where: call.where });
  const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const bins = Math.floor(length / 2) + 1;
  const step = (mel(high) - mel(low)) / (bands + 2);
  const edges = Array.from({ length: bounded(bands + 2) }, (_, i) => {
    const hertz = 700 * (10 ** ((mel(low) + i * step) / 2595) - 1);
    return Math.floor(((length + 1) * hertz) / rate);
  });
  const strides = stridesOf([bins, bands]);
  const result = new Float64Array(bounded(bins * bands));
  for (let band = 0; band < bands; band++) {
    const [left, centre, right] = edges.slice(band, band + 3) as [number, number, number];
    const set = (bin: number, value: number): void => {
      if (bin < bins) result[bin * nth(strides, 0) + band] = value;
    };
    for (let bin = left; bin <= centre; bin++) set(bin, centre === left ? 1 : (bin - left) / (centre - left));
    for (let bin = centre; bin < right; bin++) set(bin, (right - bin) / (right - centre));
  }
  return dense(dtypeAttribute(call, "output_datatype") ?? "float32", [bins, bands], result);
}

export const signals = { DFT: fourier, STFT: shortTimeFourier, MelWeightMatrix: melWeights } satisfies Kernels;
