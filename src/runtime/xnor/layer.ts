/** @file Layers that sum signs: plain data, which any transport can carry. */

interface Outputs {
  /** 1 where a weight is negative, output by output, each in the order of its inputs. */
  readonly negative: Uint8Array;
  readonly outputs: number;
  /** Of each output: y = scale · Σ sign(x)·sign(w) + bias. Zero counts as positive. */
  readonly scales: readonly number[];
  readonly biases: readonly number[];
}

/** Over the last axis: [..., inputs] → [..., outputs]. */
export interface SignProduct extends Outputs {
  readonly kind: "product";
  readonly inputs: number;
}

/** [batch, channels, height, width] → [batch, outputs, …], over a padding of +1. */
export interface SignConvolution extends Outputs {
  readonly kind: "convolution";
  readonly channels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly strides: readonly [vertical: number, horizontal: number];
  /** Above, to the left, below, to the right. */
  readonly pads: readonly [top: number, left: number, bottom: number, right: number];
}

export type SignLayer = SignProduct | SignConvolution;
