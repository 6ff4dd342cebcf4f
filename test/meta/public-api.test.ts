/** @file Every exported name of every entry point, so that a change of the API is seen in review. */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, it } from "vitest";
import { root } from "./sources.ts";

const packageJson = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  exports: Record<string, { types: string } | string>;
};

it("exports exactly the recorded names", async () => {
  const entries = Object.entries(packageJson.exports).flatMap(([name, target]) =>
    typeof target === "string"
      ? []
      : [[name, `${root}${target.types.replace("./dist/", "src/").replace(".d.ts", ".ts")}`] as const],
  );
  const program = ts.createProgram(
    entries.map(([, path]) => path),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
    },
  );
  const checker = program.getTypeChecker();
  const lines: string[] = [];
  for (const [name, path] of entries) {
    const file = program.getSourceFile(path);
    const symbol = file && checker.getSymbolAtLocation(file);
    const names = symbol ? checker.getExportsOfModule(symbol).map((exported) => exported.name) : ["(no such file)"];
    lines.push(...names.sort().map((exported) => `litheml${name.slice(1)} ${exported}`));
  }
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("public-api.txt");
});
