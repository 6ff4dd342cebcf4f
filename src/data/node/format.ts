/** @file Node only: what a data format is to `openData`. */
import type { Dataset, InputPort } from "../dataset.ts";
import type { ImageOptions } from "../image-dataset.ts";

export interface OpenOptions extends Omit<ImageOptions, "port"> {
  /** A file of labels; for CSV also the name of a column, for npz and safetensors the name of an array. */
  readonly labels?: string;
  /** The model's input or inputs that the data is for. */
  readonly port?: InputPort | readonly InputPort[];
  /** CSV: the columns that make up the input, in this order; all numeric ones when absent. */
  readonly columns?: readonly string[];
  /** CSV: what to do with a row that has an empty cell; default `error`. */
  readonly missing?: "error" | "skip";
}

/** A path that the user gave. */
export interface DataLocation {
  readonly path: string;
  /** The last component, in lower case. */
  readonly name: string;
  readonly kind: "file" | "folder";
}

export interface DataFormat {
  readonly name: string;
  /** How it is recognised, for the error that lists the formats. */
  readonly recognisedBy: string;
  /** The options that it understands; another one is a `UsageError`. */
  readonly options: readonly (keyof OpenOptions)[];
  recognises(location: DataLocation): boolean;
  open(location: DataLocation, options: OpenOptions): Promise<Dataset>;
}

/** The ports as a list, or `undefined` when no model was given. */
export function portList(port: OpenOptions["port"]): readonly InputPort[] | undefined {
  if (port === undefined) return undefined;
  return isList(port) ? port : [port];
}

function isList(port: InputPort | readonly InputPort[]): port is readonly InputPort[] {
  return Array.isArray(port);
}
