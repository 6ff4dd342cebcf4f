export {
  type Dense,
  fromTensor as denseFromTensor,
  type Held,
  type Precision,
  type Sequence,
  toTensor as tensorFromDense,
} from "./dense.ts";
export { type EvaluateOptions, evaluate, evaluateValues } from "./evaluate.ts";
export { kernels } from "./kernels.ts";
