/**
 * Writes pictures of the embedded demo set in CIFAR's binary layout, for training outside of TypeScript.
 *
 *   npm run build && node scripts/export-glyphs.mjs train 40000 OUT.bin [SEED]
 */
import { open } from "node:fs/promises";
import { cifarRecord, glyphImages } from "../dist/data/index.js";

const [split, size, path, seed = "0"] = process.argv.slice(2);
if (!split || !size || !path) throw new Error("usage: export-glyphs.mjs SPLIT SIZE OUT [SEED]");

const source = glyphImages({ split, size: Number(size), seed: Number(seed) });
const reader = await source.open();
const file = await open(path, "w");
for (let position = 0; position < source.size; position++) {
  const { image, label } = await reader.read(position);
  await file.write(cifarRecord(label, image));
}
await file.close();
