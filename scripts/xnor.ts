/** @file Builds the kernel of products of signs: `src/runtime/xnor/xnor.wat` into `xnor-bytes.ts` beside it. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builtKernel } from "../test/xnor-source.ts";

const target = fileURLToPath(new URL("../src/runtime/xnor/xnor-bytes.ts", import.meta.url));
const text = await builtKernel();
writeFileSync(
  target,
  `/** @file What \`npm run xnor\` makes of xnor.wat, in base 64. */\n\n// biome-ignore format: generated\nexport const xnorBytes = "${text}";\n`,
);
