/** @file The network that was trained on the embedded data set; `assets/demo/README.md` says how. */

/** Where its ONNX file lies: input `image` [batch, 3, 32, 32] after the preset `glyphs`, output `logits` [batch, 10]. */
export function demoModelUrl(): URL {
  return new URL("../../assets/demo/glyph-net.onnx", import.meta.url);
}

/** The same as a path. Node only. */
export async function demoModelPath(): Promise<string> {
  const { pathOfUrl } = await import("./node/path-of-url.ts");
  return pathOfUrl(demoModelUrl());
}
