import type { DataType } from "../../ir/index.ts";

export const unfetchable: ReadonlySet<DataType> = new Set(["int4", "uint4", "int2", "uint2", "float4e2m1"]);

/** Whether a session may hand out a tensor of this type. */
export function isFetchable(dtype: DataType): boolean {
  return !unfetchable.has(dtype);
}
