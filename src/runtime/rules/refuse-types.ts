import { UnsupportedError } from "../../errors.ts";
import type { DataType, Value } from "../../ir/index.ts";

export function refuseTypes(values: readonly Value[], types: ReadonlySet<DataType>, what: string, hint: string): void {
  for (const { name, type } of values) {
    if (type?.kind !== "tensor" || !types.has(type.dtype)) continue;
    throw new UnsupportedError(`the runtime cannot pass ${type.dtype} through a model's ports`, {
      where: `${what} ${JSON.stringify(name)}`,
      hint: `Keep it inside the model: ${hint}.`,
    });
  }
}
