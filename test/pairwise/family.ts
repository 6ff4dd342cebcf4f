/** @file What a family of pairwise cases is: an operator, the domains of what it can be given, and the node that these make. */
import {
  type BuilderAttributes,
  type DataType,
  float,
  floats,
  type Tensor,
  tensorFromNumbers,
} from "../../src/ir/index.ts";
import type { CaseInput } from "../laws/gradient-cases/case.ts";
import { generator } from "../laws/gradient-check.ts";
import { type Assignment, type Factors, pairwise } from "./covering.ts";

/** A value that is fed, or written into the model when it is `constant`. */
export interface PairInput extends CaseInput {
  readonly constant?: true;
}

/** One node and what it reads. */
export interface Spec {
  readonly inputs: readonly (PairInput | undefined)[];
  /** Absent ones may be given as `undefined`. */
  readonly attributes?: Readonly<Record<string, BuilderAttributes[string] | undefined>>;
  /** 1 when absent. */
  readonly outputs?: number;
  /** 21 when absent. */
  readonly opset?: number;
  /** The operator, where a family has several. */
  readonly op?: string;
}

export interface PairCase extends Required<Pick<Spec, "inputs" | "outputs" | "opset" | "op">> {
  readonly widths: NonNullable<FamilyOptions["widths"]>;
  readonly family: string;
  readonly name: string;
  readonly domain: string;
  readonly attributes: BuilderAttributes;
}

export interface Family {
  readonly name: string;
  readonly operators: readonly string[];
  cases(seed: number): readonly PairCase[];
}

interface FamilyOptions {
  readonly domain?: string;
  /** The operators of the family, when its name is none. */
  readonly operators?: readonly string[];
  /** Axes of an input of this rank whose lengths belong to the network and are known in every model. */
  readonly widths?: (rank: number, input: number) => readonly number[];
}

/** `build` gives `undefined` where an assignment has no meaning. */
export function family<const F extends Factors>(
  name: string,
  factors: F,
  build: (pick: Assignment<F>) => Spec | undefined,
  { domain = "", operators = [name], widths = () => [] }: FamilyOptions = {},
): Family {
  const qualified = (op: string): string => (domain ? `${domain}::${op}` : op);
  return {
    name: domain ? `${domain}::${name}` : name,
    operators: operators.map(qualified),
    cases(seed) {
      const rows = pairwise(factors, seed, (pick) => build(pick) !== undefined);
      return rows.map((pick): PairCase => {
        const { inputs, attributes = {}, outputs = 1, opset = 21, op = name } = build(pick)!;
        const given = Object.entries(attributes).filter(([, literal]) => literal !== undefined);
        return {
          family: name,
          name: `${name} ${describe(pick)}`,
          domain,
          widths,
          op,
          inputs: withoutTrailing(inputs),
          outputs,
          opset,
          attributes: Object.fromEntries(given.map(([key, literal]) => [key, asFloat(key, literal!)])),
        };
      });
    },
  };
}

function withoutTrailing(inputs: Spec["inputs"]): Spec["inputs"] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== undefined) + 1);
}

const floatAttributes = new Set(
  "alpha beta bias clip cubic_coeff_a epsilon extrapolation_value gamma lambd momentum scale softcap spatial_scale scales".split(
    " ",
  ),
);

/** Whole numbers are integers to the builder, also where the operator wants a float. */
function asFloat(name: string, literal: BuilderAttributes[string]): BuilderAttributes[string] {
  if (!floatAttributes.has(name) && !name.startsWith("activation_")) return literal;
  return Array.isArray(literal) ? floats(literal as number[]) : float(literal as number);
}

function describe(pick: Readonly<Record<string, unknown>>): string {
  const words = Object.entries(pick).map(
    ([key, value]) => `${key}=${value === undefined ? "-" : JSON.stringify(value)}`,
  );
  return words.join(" ");
}

/** A vector of int64 that stands in the model. */
export function list(...values: number[]): PairInput {
  return { ...whole([values.length], values), constant: true };
}

export function whole(dims: readonly number[], values: readonly number[], dtype: DataType = "int64"): PairInput {
  return { dims, dtype, values, differentiable: false };
}

/** Numbers that stand in the model. */
export function fixed(dims: readonly number[], values: readonly number[], dtype: DataType = "float32"): PairInput {
  return { dims, dtype, values, differentiable: false, constant: true };
}

export function plain(...dims: number[]): PairInput {
  return { dims };
}

export function tensorOf({ dims, dtype = "float32", values, low = -2, high = 2 }: PairInput, seed: number): Tensor {
  const random = generator(seed);
  for (let i = 0; i < 5; i++) random();
  const count = dims.reduce((n, d) => n * d, 1);
  const numbers = values ?? Array.from({ length: count }, () => low + (high - low) * random());
  return tensorFromNumbers(dtype, dims, numbers);
}
