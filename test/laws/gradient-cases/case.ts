/** @file What a case of the gradient law is. */
import {
  type BuilderAttributes,
  type DataType,
  type GraphBuilder,
  int64s,
  qualifiedName,
  tensorFromNumbers,
  type Value,
} from "../../../src/ir/index.ts";

export interface CaseInput {
  readonly dims: readonly number[];
  /** float32 when absent. */
  readonly dtype?: DataType;
  readonly differentiable?: false;
  /** Fixed values, or the range that random ones are drawn from. */
  readonly values?: readonly number[];
  readonly low?: number;
  readonly high?: number;
}

export interface GradientCase {
  readonly name: string;
  /** Qualified names of the operators that the case stands for. */
  readonly covers: readonly string[];
  readonly inputs: Readonly<Record<string, CaseInput>>;
  /** The float values that the loss is made of. */
  readonly build: (g: GraphBuilder, input: (name: string) => Value) => readonly Value[];
  /** Relative error of the directional derivative in float64. */
  readonly tolerance?: number;
  /** Relative error of ONNX Runtime's float32 results; the reason where it cannot run the case. */
  readonly runtime?: number | string;
  /** Why the directional derivative says nothing here (a straight-through gradient); the reason. */
  readonly notADerivative?: string;
  /** 21 when absent. */
  readonly opset?: number;
}

/** One operator over inputs `a`, `b`, `c`, …; integer vectors are constants. */
export function operator(
  opType: string,
  inputs: readonly (CaseInput | readonly number[] | undefined)[],
  attributes: BuilderAttributes = {},
  more: Partial<GradientCase> & { readonly domain?: string; readonly outputs?: number; readonly name?: string } = {},
): GradientCase {
  const { domain = "", outputs = 1, name, ...rest } = more;
  const named = inputs.map((input, i) => [String.fromCharCode(97 + i), input] as const);
  const fed = named.filter((entry): entry is readonly [string, CaseInput] => isFed(entry[1]));
  const dims = fed.map(([, input]) => `[${input.dims}]`).join("·");
  const plain = Object.entries(attributes).filter(
    ([, literal]) => typeof literal !== "object" || Array.isArray(literal),
  );
  return {
    name: name ?? `${opType} ${dims} ${plain.length ? JSON.stringify(Object.fromEntries(plain)) : ""}`.trim(),
    covers: [domain ? `${domain}::${opType}` : opType],
    inputs: Object.fromEntries(fed),
    build(g, input) {
      const values = named.map(([key, given]) => {
        if (given === undefined) return undefined;
        return isFed(given) ? input(key) : g.constant("ints", int64s(given));
      });
      return g.unchecked(qualifiedName({ opType, domain }), values, outputs, attributes).slice(0, outputs);
    },
    ...rest,
  };
}

function isFed(input: CaseInput | readonly number[] | undefined): input is CaseInput {
  return input !== undefined && "dims" in input;
}

export function x(...dims: number[]): CaseInput {
  return { dims };
}

export function positive(...dims: number[]): CaseInput {
  return { dims, low: 0.3, high: 2 };
}

/** Values at least 0.1 apart, shuffled, so that comparisons stay as they are nearby. */
export function distinct(...dims: number[]): CaseInput {
  const count = dims.reduce((n, d) => n * d, 1);
  const values = Array.from({ length: count }, (_, i) => (((i * 7919 + 13) % count) - count / 2) * 0.1 + 0.05);
  return { dims, values };
}

export function integers(dims: readonly number[], values: readonly number[], dtype: DataType = "int64"): CaseInput {
  return { dims, dtype, values, differentiable: false };
}

export function ints(g: GraphBuilder, values: readonly number[]): Value {
  return g.constant("ints", int64s(values));
}

export function number(g: GraphBuilder, value: number, dtype: DataType = "float32"): Value {
  return g.constant("number", tensorFromNumbers(dtype, [], [value]));
}
