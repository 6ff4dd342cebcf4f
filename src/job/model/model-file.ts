/** @file Facts about a model's file and about what the model takes. */
import { createHash } from "node:crypto";
import type { InputPort } from "../../data/index.ts";
import { fileError, lookAt, openRegular } from "../../file-system.ts";
import type { Model } from "../../ir/index.ts";
import { dataFilesOf } from "../../onnx/files.ts";

/** A model with data files is small itself; a larger one is not read again to look for them. */
const SMALL = 2 ** 26;

/** The hash of a model's file, and its size with its data files. */
export async function fingerprint(path: string): Promise<{ sha256: string; bytes: number }> {
  const { sha256, size } = await digestOf(path);
  return { sha256, bytes: size + (await dataBytes(path, size)) };
}

/** The size of a model's file with its data files. */
export async function fileBytes(path: string): Promise<number> {
  const size = (await lookAt(path))?.size ?? 0;
  return size + (await dataBytes(path, size));
}

async function dataBytes(path: string, size: number): Promise<number> {
  const files = size > SMALL ? [`${path}.data`] : await dataFilesOf(path);
  const sizes = await Promise.all(files.map(lookAt));
  return sizes.reduce((sum, stats) => sum + (stats?.size ?? 0), 0);
}

async function digestOf(path: string): Promise<{ sha256: string; size: number }> {
  const { file, stats } = await openRegular(path);
  const hash = createHash("sha256");
  try {
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Uint8Array);
  } catch (cause) {
    throw fileError("read the file", path, cause);
  } finally {
    await file.close();
  }
  return { sha256: hash.digest("hex"), size: stats.size };
}

/** The model's inputs that are not initializers, with types as far as they are stated. */
export function inputPorts(model: Model): InputPort[] {
  return model.graph.inputs
    .filter((value) => !model.graph.initializers.has(value))
    .map(({ name, type }) => {
      const isTensor = type?.kind === "tensor";
      return {
        name,
        dtype: isTensor ? type.dtype : undefined,
        ...(isTensor && type.dims && { dims: type.dims }),
      };
    });
}
