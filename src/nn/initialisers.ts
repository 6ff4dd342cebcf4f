/** @file Initial values of parameters. */
import type { RandomSource } from "./random-source.ts";

export type Initialiser = (dims: readonly number[], source: RandomSource) => Float32Array;

export const zeros: Initialiser = (dims) => new Float32Array(sizeOf(dims));

export const ones: Initialiser = full(1);

/** One number everywhere. */
export function full(x: number): Initialiser {
  return (dims) => new Float32Array(sizeOf(dims)).fill(x);
}

export function normal(deviation: number): Initialiser {
  return (dims, source) => drawn(dims, () => deviation * source.normal());
}

/** Normal, drawn again beyond two deviations. */
export function truncatedNormal(deviation: number): Initialiser {
  return (dims, source) =>
    drawn(dims, () => {
      for (;;) {
        const x = source.normal();
        if (Math.abs(x) <= 2) return deviation * x;
      }
    });
}

/** Uniform in [−bound, bound). */
export function uniform(bound: number): Initialiser {
  return (dims, source) => drawn(dims, () => bound * (2 * source.uniform() - 1));
}

/** Uniform within 1/√fanIn, as PyTorch begins linear layers, convolutions and their biases. */
export function fanInUniform(fanIn: number): Initialiser {
  return uniform(1 / Math.sqrt(fanIn));
}

/** Normal with variance 2/fan, for layers before a ReLU: He et al. (2015), arXiv:1502.01852. */
export function kaimingNormal(fan: number): Initialiser {
  return normal(Math.sqrt(2 / fan));
}

/** Uniform with variance 2/(fanIn + fanOut): Glorot and Bengio (2010). */
export function xavierUniform(fanIn: number, fanOut: number): Initialiser {
  return uniform(Math.sqrt(6 / (fanIn + fanOut)));
}

function drawn(dims: readonly number[], draw: () => number): Float32Array {
  return new Float32Array(sizeOf(dims)).map(draw);
}

function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}
