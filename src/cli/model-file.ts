/** @file Facts about a model's file and about what the model takes. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { InputPort } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";

/** The hash of a model's file, and its size with the data file beside it. */
export async function fingerprint(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const { size } = await stat(path);
  const external = await stat(`${path}.data`).catch(() => undefined);
  return { sha256: hash.digest("hex"), bytes: size + (external?.size ?? 0) };
}

/** The model's inputs that are not initializers, with types as far as inference knows them. */
export function inputPorts(model: Model): InputPort[] {
  const { types } = inferModel(model);
  return model.graph.inputs
    .filter((value) => !model.graph.initializers.has(value))
    .map((value) => {
      const type = types.get(value) ?? value.type;
      const isTensor = type?.kind === "tensor";
      return {
        name: value.name,
        dtype: isTensor ? type.dtype : undefined,
        ...(isTensor && type.dims && { dims: type.dims }),
      };
    });
}
