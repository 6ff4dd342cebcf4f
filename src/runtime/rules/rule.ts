/** @file What goes wrong in ONNX Runtime, and how a session prevents it. */
import type { Model, Node } from "../../ir/index.ts";
import type { ResolvedOptions } from "../options.ts";

/** What a model is about to be loaded with, and on. */
export interface Target extends ResolvedOptions {
  /** Whether uint8 × int8 products saturate on this machine's CPU. */
  readonly saturates: boolean;
  /** Whether this build of the runtime leaves types out, as the web build with WebGPU does. */
  readonly reduced: boolean;
}

export interface Rule {
  readonly goesWrong: string;
  /** Throws where a model must not reach the runtime. */
  readonly check?: (model: Model, target: Target) => void;
  /** A model that computes the same without the danger. */
  readonly rewrite?: (model: Model, target: Target) => Model;
  /** A configuration entry that prevents it, unless the caller sets it or asks for the stock behaviour. */
  readonly config?: (model: Model, target: Target) => readonly [key: string, value: string] | undefined;
  /** The entry changes no number, so that it holds for the stock behaviour too. */
  readonly always?: true;
  /** What a session tells of rather than prevents, since the caller may want it. */
  readonly notice?: (model: Model, target: Target) => string | undefined;
  /** Whether a GPU provider must leave this node to the CPU. */
  readonly cpuNode?: (node: Node, model: Model) => boolean;
  /** The file whose construction prevents it, for what neither models nor options show. */
  readonly builtInto?: string;
}
