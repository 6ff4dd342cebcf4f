export type {
  Dense,
  Held,
  Precision,
  Sequence,
} from "./dense.ts";
export { type EvaluateOptions, evaluate, evaluateValues } from "./evaluate.ts";
export { kernels } from "./kernels.ts";
