import type { DataType } from "../../ir/index.ts";
import { refuseTypes } from "./refuse-types.ts";
import type { Rule } from "./rule.ts";

const unloadable: ReadonlySet<DataType> = new Set<DataType>([
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "float8e8m0",
  "complex64",
  "complex128",
]);

export const lowPrecisionPorts: Rule = {
  goesWrong: "bfloat16, float8 and complex inputs or outputs fail while the session is created, without a name",
  check: (model) =>
    refuseTypes([...model.graph.inputs, ...model.graph.outputs], unloadable, "port", "cast it to float32 in the model"),
};
